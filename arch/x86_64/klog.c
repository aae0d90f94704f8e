/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/klog.h"

#include "arch/x86_64/console.h"
#include "arch/x86_64/klog_ring.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/panic_record.h"
#include "arch/x86_64/platform.h"
#include "arch/x86_64/spinlock.h"
#include "lib/format.h"
#include "lib/string.h"

#define LINE_MAX     512u
#define KEEP_BEFORE  4096u /* log before a panic that goes into its record */
#define RECORD_PART  4u    /* one part in four of the persistent memory is the panic record */
#define SHOWN_BEFORE 1024u /* log before a panic that is shown with it */

static struct klog_ring ring;
static spinlock_t klog_lock; /* ring, outputs, line_start */
static bool line_start = true, quiet, panicking;
static const char *line_prefix = "";
static uint64_t boot_tsc;
static struct panic_record *record; /* NULL: no memory yet */
static uint64_t record_size;
static uint64_t own_start; /* position behind the report of the last run's record */

static void lock(void)
{
    if (!panicking)
        spin_lock(&klog_lock);
}

static void unlock(void)
{
    if (!panicking)
        spin_unlock(&klog_lock);
}

static void emit(const char *text, size_t length)
{
    klog_ring_write(&ring, text, length);
    if (quiet)
        return;
    early_uart_write(text, length);
    early_screen_write(text, length);
}

static void emit_time(void)
{
    char text[48];
    uint64_t us = tsc_to_us(rdtsc() - boot_tsc);
    emit(text, format_text(text, sizeof(text), "[%5lu.%06lu] %s", us / 1000000, us % 1000000,
                           line_prefix));
}

/* Under the lock; cuts into lines, each led by the time. */
static void write_lines(const char *text, size_t length)
{
    while (length) {
        size_t n = 0;
        while (n < length && text[n] != '\n')
            n++;
        n += n < length;
        if (line_start)
            emit_time();
        emit(text, n);
        line_start = text[n - 1] == '\n';
        text += n;
        length -= n;
    }
}

void klog_write(const char *text, size_t length)
{
    lock();
    write_lines(text, length);
    unlock();
}

void kprintf(const char *format, ...)
{
    char line[LINE_MAX];
    va_list args;

    va_start(args, format);
    size_t n = format_args(line, sizeof(line), format, args);
    va_end(args);
    klog_write(line, n);
}

size_t klog_read(uint64_t *position, char *buffer, size_t size)
{
    lock();
    size_t n = klog_ring_read(&ring, position, buffer, size);
    unlock();
    return n;
}

uint64_t klog_head(void)
{
    return __atomic_load_n(&ring.head, __ATOMIC_RELAXED);
}

void klog_set_quiet(bool value)
{
    lock();
    if (quiet && !value)
        early_screen_clear();
    quiet = value;
    unlock();
}

void klog_init_serial(void)
{
    boot_tsc = rdtsc();
    early_uart_init();
}

void klog_init_screen(const struct bootinfo *info)
{
    lock();
    early_screen_init(info);
    unlock();
}

/* First part: the record. The rest: the ring. */
void klog_init_memory(void *kept, uint64_t size)
{
    record = kept;
    record_size = size / RECORD_PART;
    ring = (struct klog_ring){(char *)kept + record_size, size - record_size, 0};
}

void klog_last_run(void)
{
    if (panic_record_valid(record, record_size)) {
        kprintf("the last run ended in a panic; its record follows\n");
        line_prefix = "last run: ";
        klog_write(record->text, record->length);
        klog_write("\n", record->length && !line_start);
        line_prefix = "";
    }
    record->magic = 0;
    own_start = ring.head;
}

/* What ring 3 kept from the outputs: the events before the panic. */
static void show_last_events(void)
{
    char part[SHOWN_BEFORE];
    uint64_t position = ring.head > SHOWN_BEFORE ? ring.head - SHOWN_BEFORE : 0;
    size_t n = klog_ring_read(&ring, &position, part, sizeof(part));

    early_uart_write("\nlast events:\n", 14);
    early_screen_write("last events:\n", 13);
    early_uart_write(part, n);
    early_screen_write(part, n);
}

uint64_t klog_enter_panic(void)
{
    bool was_quiet = quiet;
    panicking = true;
    klog_set_quiet(false);
    if (was_quiet)
        show_last_events();
    if (!line_start)
        write_lines("\n", 1);
    return ring.head;
}

void klog_keep(uint64_t start)
{
    if (!record)
        return;
    uint64_t position = MAX(start > KEEP_BEFORE ? start - KEEP_BEFORE : 0, own_start);
    uint64_t space = record_size - sizeof(*record);
    size_t n = klog_ring_read(&ring, &position, record->text, space);
    panic_record_seal(record, record_size, (uint32_t)n);
    /* The reset may not write caches back. */
    __asm__ volatile("wbinvd" ::: "memory");
}
