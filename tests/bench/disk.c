/* SPDX-License-Identifier: BSD-2-Clause */
/* What reads of a disk cost: disk DEVICE NAME. Random 4 KiB reads (depth_1, depth_32) or reads of
 * 1 MiB in order (sequential), past the page cache; prints "bench NAME TICKS", ticks of the TSC a
 * request. No C library. */
#include <stddef.h>
#include <stdint.h>

#define SYS_WRITE        1
#define SYS_OPEN         2
#define SYS_LSEEK        8
#define SYS_PREAD        17
#define SYS_EXIT         60
#define SYS_IO_SETUP     206
#define SYS_IO_GETEVENTS 208
#define SYS_IO_SUBMIT    209

#define O_DIRECT 040000
#define SEEK_END 2
#define SMALL    4096u
#define LARGE    (1u << 20)
#define DEPTH    32u
#define WARM_UP  64u
#define REQUESTS 2048u
#define SEQUENCE 128u

void disk_main(const uint64_t *stack);

struct iocb { /* Linux, include/uapi/linux/aio_abi.h: IOCB_CMD_PREAD is 0 */
    uint64_t data;
    uint32_t key, rw_flags;
    uint16_t opcode;
    int16_t priority;
    uint32_t fd;
    uint64_t buffer, bytes;
    int64_t offset;
    uint64_t reserved;
    uint32_t flags, event_fd;
};

struct io_event {
    uint64_t data, object;
    int64_t result, result2;
};

static uint8_t buffer[LARGE] __attribute__((aligned(4096)));
static uint8_t small[DEPTH][SMALL] __attribute__((aligned(4096)));
static struct iocb block[DEPTH];
static uint64_t seed = 88172645463325252ull, pages;
static long fd;

static long call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    long result;
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

static uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void say(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    (void)call(SYS_WRITE, 1, (uint64_t)text, length, 0, 0);
}

static void report(const char *name, uint64_t value)
{
    char digits[24];
    size_t n = sizeof digits;
    digits[--n] = 0;
    digits[--n] = '\n';
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    say("bench ");
    say(name);
    say(" ");
    say(digits + n);
}

static void stop(const char *why)
{
    say("disk: ");
    say(why);
    say("\n");
    (void)call(SYS_EXIT, 1, 0, 0, 0, 0);
}

static uint64_t somewhere(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % pages * SMALL;
}

static void read_random(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (call(SYS_PREAD, (uint64_t)fd, (uint64_t)buffer, SMALL, somewhere(), 0) != SMALL)
            stop("a read failed");
    }
}

static void read_in_order(unsigned count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (call(SYS_PREAD, (uint64_t)fd, (uint64_t)buffer, LARGE, i * LARGE, 0) != LARGE)
            stop("a large read failed");
    }
}

static void submit(uint64_t context, unsigned from, unsigned count)
{
    struct iocb *list[DEPTH];
    for (unsigned i = 0; i < count; i++) {
        list[i] = &block[from + i];
        list[i]->offset = (int64_t)somewhere();
    }
    if (call(SYS_IO_SUBMIT, context, count, (uint64_t)list, 0, 0) != count)
        stop("io_submit failed");
}

/* Always DEPTH in flight: what has ended is asked again, elsewhere. */
static void read_deep(uint64_t context, unsigned count)
{
    struct io_event event[DEPTH];
    struct iocb *list[DEPTH];
    submit(context, 0, DEPTH);
    for (unsigned done = 0; done < count;) {
        long ended = call(SYS_IO_GETEVENTS, context, 1, DEPTH, (uint64_t)event, 0);
        if (ended <= 0)
            stop("io_getevents failed");
        for (long i = 0; i < ended; i++) {
            if (event[i].result != SMALL)
                stop("a deep read failed");
            list[i] = (struct iocb *)event[i].object;
            list[i]->offset = (int64_t)somewhere();
        }
        done += (unsigned)ended;
        if (call(SYS_IO_SUBMIT, context, (uint64_t)ended, (uint64_t)list, 0, 0) != ended)
            stop("io_submit failed");
    }
    for (long left = DEPTH; left > 0;) {
        long ended = call(SYS_IO_GETEVENTS, context, 1, DEPTH, (uint64_t)event, 0);
        if (ended <= 0)
            stop("io_getevents failed");
        left -= ended;
    }
}

static uint64_t set_up_deep(void)
{
    uint64_t context = 0;
    for (unsigned i = 0; i < DEPTH; i++)
        block[i] = (struct iocb){.fd = (uint32_t)fd, .buffer = (uint64_t)small[i], .bytes = SMALL};
    if (call(SYS_IO_SETUP, DEPTH, (uint64_t)&context, 0, 0, 0) != 0)
        stop("io_setup failed");
    return context;
}

static void measure(const char *name)
{
    uint64_t context, start;
    switch (name[6]) {
    case '1': /* depth_1 */
        read_random(WARM_UP);
        start = ticks();
        read_random(REQUESTS);
        report(name, (ticks() - start) / REQUESTS);
        break;
    case '3': /* depth_32 */
        context = set_up_deep();
        read_deep(context, WARM_UP);
        start = ticks();
        read_deep(context, REQUESTS);
        report(name, (ticks() - start) / (REQUESTS + DEPTH));
        break;
    default:
        read_in_order(4);
        start = ticks();
        read_in_order(SEQUENCE);
        report(name, (ticks() - start) / SEQUENCE);
        break;
    }
}

void disk_main(const uint64_t *stack)
{
    if (stack[0] != 3)
        stop("which device, and which test?");
    fd = call(SYS_OPEN, stack[2], O_DIRECT, 0, 0, 0);
    if (fd < 0)
        stop("the device cannot be opened");
    pages = (uint64_t)call(SYS_LSEEK, (uint64_t)fd, 0, SEEK_END, 0, 0) / SMALL;
    if (!pages)
        stop("the device is empty");
    measure((const char *)stack[3]);
    (void)call(SYS_EXIT, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall disk_main\n");
