/* SPDX-License-Identifier: BSD-2-Clause */
/* Several CPUs: INIT-SIPI-SIPI, IPIs both ways and out of HLT, shared memory, TLB shoot-down by
 * IPI, broadcasts, TSCs that agree. With one CPU only the count is checked. */
#include "lib/guest.h"

#define VECTOR 0x57u
/* Only a machine that does not get on at all takes so long: emulated CPUs share a busy host's. */
#define PATIENCE_US 20000000u
#define ROUNDS      1000u
static volatile uint32_t counter, plain_lock, locked_counter, done_flags, answers;
static volatile uint64_t ap_tsc[AP_MAX + 1];
static volatile uint32_t ap_hlt_wakes;
static volatile uint32_t got[AP_MAX + 1];
static uint64_t shared_value[2];

static void add(uint32_t cpu)
{
    (void)cpu;
    for (uint32_t i = 0; i < 20000; i++)
        __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
}

static void add_locked(uint32_t cpu)
{
    (void)cpu;
    for (uint32_t i = 0; i < 5000; i++) {
        while (__atomic_exchange_n(&plain_lock, 1, __ATOMIC_ACQUIRE))
            pause_cpu();
        locked_counter = locked_counter + 1;
        __atomic_store_n(&plain_lock, 0, __ATOMIC_RELEASE);
    }
}

static void read_tsc(uint32_t cpu)
{
    ap_tsc[cpu] = rdtsc();
}

static void halt_until_ipi(uint32_t cpu)
{
    (void)cpu;
    done_flags = 1;
    wait_for_interrupt();
    ap_hlt_wakes++;
}

static void answer(struct trap_frame *f)
{
    (void)f;
    answers++;
    apic_eoi();
}

static void send_back(uint32_t cpu)
{
    (void)cpu;
    apic_icr(acpi.apic_id[0], ICR_FIXED | VECTOR);
}

static void take_broadcast(uint32_t cpu)
{
    got[cpu] = 1;
    interrupts_on();
    while (got[cpu] == 1)
        pause_cpu();
    interrupts_off();
}

static void broadcast_seen(struct trap_frame *f)
{
    uint32_t self = apic_id();
    for (uint32_t cpu = 1; cpu <= AP_MAX; cpu++)
        if (got[cpu] == 1 && smp_apic_id(cpu) == self)
            got[cpu] = 2;
    (void)f;
    apic_eoi();
}

static volatile uint64_t *remap(uint64_t which)
{
    static uint64_t pd[512] __attribute__((aligned(4096)));
    static uint64_t pt[512] __attribute__((aligned(4096)));
    static uint64_t pages[1024] __attribute__((aligned(4096)));
    pages[0] = 0x1111;
    pages[512] = 0x2222;
    pt[0] = ((uint64_t)pages + which * 4096) | 3;
    pd[0] = (uint64_t)pt | 3;
    pdpt[9] = (uint64_t)pd | 3;
    return (volatile uint64_t *)(9ull << 30);
}

static void read_remapped(uint32_t cpu)
{
    (void)cpu;
    shared_value[0] = *(volatile uint64_t *)(9ull << 30);
    done_flags = 2;
    while (done_flags == 2)
        pause_cpu();
    invlpg((const void *)(9ull << 30));
    shared_value[1] = *(volatile uint64_t *)(9ull << 30);
}

static bool wait_for(volatile uint32_t *cell, uint32_t value)
{
    for (uint32_t i = 0; i < PATIENCE_US / 10 && *cell != value; i++)
        delay_us(10);
    return *cell == value;
}

static void memory(uint32_t cpus)
{
    for (uint32_t c = 1; c <= cpus; c++)
        smp_run(c, add);
    add(0);
    bool all = true;
    for (uint32_t c = 1; c <= cpus; c++)
        all = smp_done(c, PATIENCE_US) && all;
    check("smp.work_finished", all);
    check_eq("smp.atomic_add", counter, 20000ull * (cpus + 1));
    for (uint32_t c = 1; c <= cpus; c++)
        smp_run(c, add_locked);
    add_locked(0);
    for (uint32_t c = 1; c <= cpus; c++)
        (void)smp_done(c, PATIENCE_US);
    check_eq("smp.spinlock", locked_counter, 5000ull * (cpus + 1));
    (void)remap(0);
    done_flags = 0;
    smp_run(1, read_remapped);
    check("smp.remap_first_read", wait_for(&done_flags, 2));
    (void)remap(1);
    done_flags = 3;
    (void)smp_done(1, PATIENCE_US);
    check_eq("smp.remap_before", shared_value[0], 0x1111);
    check_eq("smp.remap_after_invlpg", shared_value[1], 0x2222);
}

static void ipis(void)
{
    done_flags = 0;
    trap_set(VECTOR, answer);
    smp_run(1, halt_until_ipi);
    check("smp.ap_goes_to_hlt", wait_for(&done_flags, 1));
    delay_us(2000);
    check_eq("smp.ap_sleeps", ap_hlt_wakes, 0);
    apic_icr(smp_apic_id(1), ICR_FIXED | VECTOR);
    check("smp.ipi_ends_hlt", wait_for(&ap_hlt_wakes, 1));
    check_eq("smp.ipi_taken_once", answers, 1);
    (void)smp_done(1, PATIENCE_US);
    bool all = true;
    for (uint32_t i = 0; i < ROUNDS && all; i++) {
        uint32_t before = answers;
        smp_run(1, send_back);
        interrupts_on();
        all = wait_for(&answers, before + 1);
        interrupts_off();
        all = all && smp_done(1, PATIENCE_US);
    }
    check("smp.ipi_back_each_time", all);
    for (uint32_t i = 0; i < 100 && all; i++) {
        uint32_t before = ap_hlt_wakes;
        done_flags = 0;
        smp_run(1, halt_until_ipi);
        all = wait_for(&done_flags, 1);
        apic_icr(smp_apic_id(1), ICR_FIXED | VECTOR);
        all = all && smp_done(1, PATIENCE_US) && ap_hlt_wakes == before + 1;
    }
    check("smp.ipi_out_of_hlt_each_time", all);
}

static void broadcasts(uint32_t cpus)
{
    trap_set(VECTOR, broadcast_seen);
    for (uint32_t c = 1; c <= cpus; c++) {
        got[c] = 0;
        smp_run(c, take_broadcast);
    }
    bool ready = true, all = true;
    for (uint32_t c = 1; c <= cpus; c++)
        ready = wait_for(&got[c], 1) && ready;
    apic_icr(0, ICR_OTHERS | ICR_FIXED | VECTOR);
    for (uint32_t c = 1; c <= cpus; c++)
        all = wait_for(&got[c], 2) && all;
    check("smp.broadcast_to_others", ready && all);
    for (uint32_t c = 1; c <= cpus; c++)
        (void)smp_done(c, PATIENCE_US);
}

static void clocks(uint32_t cpus)
{
    bool agree = true;
    for (uint32_t round = 0; round < 20; round++)
        for (uint32_t c = 1; c <= cpus; c++) {
            uint64_t before = rdtsc();
            smp_run(c, read_tsc);
            (void)smp_done(c, PATIENCE_US);
            agree = agree && before <= ap_tsc[c] && ap_tsc[c] <= rdtsc();
        }
    check("smp.tsc_agrees", agree);
}

static void all_tests(uint32_t cpus)
{
    bool distinct = true;
    for (uint32_t c = 1; c <= cpus; c++)
        distinct = distinct && smp_apic_id(c) != apic_id() &&
                   (c == 1 || smp_apic_id(c) != smp_apic_id(c - 1));
    check("smp.apic_ids_distinct", distinct);
    memory(cpus);
    ipis();
    broadcasts(cpus);
    clocks(cpus);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    apic_init(apic_has_x2());
    check_eq("smp.boot_cpu_is_first", apic_id(), acpi.apic_id[0]);
    uint32_t cpus = smp_start();
    check_eq("smp.all_cpus_started", cpus + 1, acpi.cpus);
    say("info %u cpus\n", cpus + 1);
    if (cpus)
        all_tests(cpus);
}
