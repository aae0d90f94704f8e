/* SPDX-License-Identifier: BSD-2-Clause */
/* The verdicts of a test guest, as lines on COM1, and its end. */
#include <stdarg.h>

#include "guest.h"

#define COM1            0x3f8u
#define LSR_THRE        0x20u
#define LSR_TEMT        0x40u
#define DEBUG_EXIT_PORT 0xf4u
#define SLP_EN          0x2000u

static unsigned passed, failed;

void serial_init(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80);
    outb(COM1, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 2, 7);
    outb(COM1 + 4, 3);
}

static void put(char c)
{
    while (!(inb(COM1 + 5) & LSR_THRE))
        pause_cpu();
    outb(COM1, (uint8_t)c);
}

static void put_string(const char *s)
{
    while (*s)
        put(*s++);
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[21];
    unsigned n = sizeof digits;
    digits[--n] = 0;
    do {
        digits[--n] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put_string(digits + n);
}

static void put_signed(int value)
{
    if (value < 0)
        put('-');
    put_number(value < 0 ? (uint64_t) - (int64_t)value : (uint64_t)value, 10);
}

void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            if (*f == '\n')
                put('\r');
            put(*f);
            continue;
        }
        bool wide = f[1] == 'l';
        f += wide ? 2 : 1;
        if (*f == 's')
            put_string(va_arg(list, const char *));
        else if (*f == 'c')
            put((char)va_arg(list, int));
        else if (*f == 'd')
            put_signed(va_arg(list, int));
        else if (*f == 'u' || *f == 'x')
            put_number(wide ? va_arg(list, unsigned long) : va_arg(list, unsigned),
                       *f == 'u' ? 10 : 16);
        else
            put(*f);
    }
    va_end(list);
}

void check(const char *name, bool good)
{
    if (good)
        passed++;
    else
        failed++;
    say(good ? "ok %s\n" : "not ok %s: false\n", name);
}

void check_eq(const char *name, uint64_t actual, uint64_t expected)
{
    if (actual == expected) {
        check(name, true);
        return;
    }
    failed++;
    say("not ok %s: 0x%lx, expected 0x%lx\n", name, actual, expected);
}

void check_range(const char *name, uint64_t actual, uint64_t low, uint64_t high)
{
    if (actual >= low && actual <= high) {
        check(name, true);
        return;
    }
    failed++;
    say("not ok %s: %lu, expected %lu to %lu\n", name, actual, low, high);
}

void power_off(void)
{
    while (!(inb(COM1 + 5) & LSR_TEMT))
        pause_cpu();
    interrupts_off();
    if (acpi.s5_found)
        outw(acpi.pm1a_control, (uint16_t)(SLP_EN | (unsigned)acpi.s5_type << 10));
    /* Only where there is no ACPI: a bare QEMU with isa-debug-exit. */
    outb(DEBUG_EXIT_PORT, failed ? 1 : 0);
    for (;;)
        __asm__ volatile("hlt");
}

void finish(void)
{
    say("%u passed, %u failed\n", passed, failed);
    power_off();
}

void guest_start(void)
{
    serial_init();
    trap_init();
    acpi_init();
    guest_main();
    finish();
}

void *memset(void *to, int value, size_t size)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return start;
}

void *memcpy(void *to, const void *from, size_t size)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
