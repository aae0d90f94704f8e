/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest can do to get more than its share of the CPU, and what suffers if one can. The first
 * word of its command line says which: see kinds[]. It never ends by itself. */
#include "lib/guest.h"

#define VECTOR         0x58u
#define HC_SCHED_YIELD 11u
#define TSC_PER_US     (1000u) /* counted in instructions, the host's TSC has 1 GHz */
#define VIRTIO_VENDOR  0x1af4u
#define UART_SCRATCH   0x3ffu
/* `periodic`: how much it computes in how much. */
#define PERIOD_US 10000u
#define WORK_US   1700u
#define REPORT    100u

static void hypercall(uint64_t number)
{
    __asm__ volatile("vmmcall"
                     : "+a"(number)
                     : "b"(0ull), "c"(0ull), "d"(0ull), "S"(0ull)
                     : "memory");
}

static void sleep_until(uint64_t tsc)
{
    uint32_t before = irq_count[VECTOR];
    wrmsr(MSR_TSC_DEADLINE, tsc);
    while (irq_count[VECTOR] == before)
        wait_for_interrupt();
}

static void compute(uint64_t us)
{
    for (uint64_t n = us * TSC_PER_US / 2; n; n--)
        __asm__ volatile("" : "+r"(n));
}

static void spin(void)
{
    for (;;)
        __asm__ volatile("" : : : "memory");
}

static void next_tick(struct trap_frame *f)
{
    irq_counted(f);
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + 4000 * TSC_PER_US);
}

/* Computes, with a clock of 250 Hz as a kernel has it. */
static void ticking(void)
{
    trap_set(VECTOR, next_tick);
    wrmsr(MSR_TSC_DEADLINE, rdtsc());
    interrupts_on();
    spin();
}

static void yield(void)
{
    for (;;)
        hypercall(HC_SCHED_YIELD);
}

/* A million times a second, and taken as often as it fires. */
static void timer(void)
{
    interrupts_on();
    for (;;)
        wrmsr(MSR_TSC_DEADLINE, rdtsc() + TSC_PER_US);
}

/* Just before a slice of 3 ms, or a turn of 5, is over; and it wakes up as new. */
static void doze(void)
{
    for (;;) {
        compute(2900);
        sleep_until(rdtsc() + 20 * TSC_PER_US);
    }
}

static void sleepy(void)
{
    for (;;) {
        compute(200);
        sleep_until(rdtsc() + 5 * TSC_PER_US);
    }
}

/* Hardly awake, and woken in less time than others' timers take to be served. */
static void nap(void)
{
    for (uint64_t n = 1;; n = n % 8 + 1)
        sleep_until(rdtsc() + n * TSC_PER_US);
}

static void io(void)
{
    for (;;)
        outb(UART_SCRATCH, 0);
}

/* The I/O BAR with the notify register, and the common configuration, of a virtio device. */
static bool find_registers(uint32_t bdf, uint64_t *common, uint32_t *port)
{
    *common = *port = 0;
    for (uint32_t p = pci_read(bdf, 0x34) & 0xfc; p; p = pci_read(bdf, p) >> 8 & 0xfc) {
        uint32_t head = pci_read(bdf, p), bar = pci_read(bdf, p + 4) & 7;
        if ((head & 0xff) != 9 || bar > 5)
            continue;
        uint32_t base = pci_read(bdf, 0x10 + 4 * bar), offset = pci_read(bdf, p + 8);
        if (head >> 24 == 1 && !(base & 1))
            *common = (base & ~0xfu) + (uint64_t)offset;
        if (head >> 24 == 2 && (base & 1))
            *port = (base & 0xfffcu) + offset;
    }
    return *common && *port;
}

static void start_queue(uint64_t common)
{
    static uint8_t ring[3][4096] __attribute__((aligned(4096)));
    volatile uint8_t *c = (volatile uint8_t *)common;
    c[0x14] = 0;
    c[0x14] = 3;
    *(volatile uint32_t *)(c + 8) = 1;
    *(volatile uint32_t *)(c + 12) = 1;
    c[0x14] = 11;
    *(volatile uint16_t *)(c + 0x16) = 0;
    *(volatile uint16_t *)(c + 0x18) = 8;
    for (uint32_t i = 0; i < 3; i++) {
        *(volatile uint32_t *)(c + 0x20 + 8 * i) = (uint32_t)(uint64_t)ring[i];
        *(volatile uint32_t *)(c + 0x24 + 8 * i) = 0;
    }
    *(volatile uint16_t *)(c + 0x1c) = 1;
    c[0x14] = 15;
}

/* Rings a doorbell all the time: its VMM's thread works for it, beside its own CPU. */
static void doorbell(void)
{
    for (uint32_t bdf = 0; bdf < 256; bdf += 8) {
        uint64_t common;
        uint32_t port;
        if ((pci_read(bdf, 0) & 0xffff) != VIRTIO_VENDOR)
            continue;
        pci_write(bdf, 4, 7);
        if (!find_registers(bdf, &common, &port))
            continue;
        start_queue(common);
        for (;;)
            outw((uint16_t)port, 0);
    }
    say("not ok load: no virtio device\n");
}

/* Real time: a piece of work in each period, done before the next begins. */
static void periodic(void)
{
    uint64_t begin = rdtsc() + PERIOD_US * TSC_PER_US, worst = 0;
    for (uint32_t n = 1, late = 0;; n++, begin += PERIOD_US * TSC_PER_US) {
        sleep_until(begin);
        compute(WORK_US);
        uint64_t took = rdtsc() - begin;
        late += took > PERIOD_US * TSC_PER_US;
        worst = took > worst ? took : worst;
        if (n % REPORT == 0)
            say("periods %u late %u worst %lu us\n", n, late, worst / TSC_PER_US);
    }
}

/* As a kernel that switches between programs all the time. */
static void restore(void)
{
    static uint8_t area[512] __attribute__((aligned(16)));
    __asm__ volatile("fxsave %0" : "=m"(area));
    for (;;)
        __asm__ volatile("fxrstor %0" : : "m"(area));
}

/* Nothing but exits; says so after each 65,536. */
static void exits(void)
{
    for (uint32_t n = 1;; n++) {
        (void)cpuid(0, 0);
        if (n % 65536 == 0)
            say("exits %u\n", n);
    }
}

static const struct kind {
    const char *word;
    void (*run)(void);
} kinds[] = {{"spin", spin},   {"ticking", ticking},   {"yield", yield},
             {"timer", timer}, {"doze", doze},         {"sleepy", sleepy},
             {"io", io},       {"doorbell", doorbell}, {"periodic", periodic},
             {"exits", exits}, {"restore", restore},   {"nap", nap}};

void guest_main(void)
{
    pic_init(0xff, 0xff);
    apic_init(apic_has_x2());
    trap_set(VECTOR, irq_counted);
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (guest_has_word(kinds[i].word)) {
            say("load %s begins\n", kinds[i].word);
            kinds[i].run();
        }
    say("load: nothing to do in \"%s\"\n", guest_command_line());
    check("load.has_a_kind", false);
}
