/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual interface as its guests use it: hypercalls, clock, EOI without an exit, steal
 * time, IPIs to many, a kick out of HLT. Bare there is nothing to test. */
#include "lib/guest.h"

#define VECTOR 0x58u
#define ROUNDS 1000u
#define MANY   2000u

#define MSR_WALL_CLOCK  0x4b564d00u
#define MSR_SYSTEM_TIME 0x4b564d01u
#define MSR_STEAL_TIME  0x4b564d03u
#define MSR_PV_EOI      0x4b564d04u

#define FEATURE_CLOCK    (1u << 3)
#define FEATURE_STEAL    (1u << 5)
#define FEATURE_EOI      (1u << 6)
#define FEATURE_UNHALT   (1u << 7)
#define FEATURE_SEND_IPI (1u << 11)

#define HC_KICK     5u
#define HC_SEND_IPI 10u

struct system_time {
    uint32_t version, pad0;
    uint64_t tsc, ns;
    uint32_t multiplier;
    int8_t shift;
    uint8_t flags, pad1[2];
};
static volatile struct system_time clock __attribute__((aligned(64)));
static volatile struct {
    uint32_t version, seconds, ns;
} wall __attribute__((aligned(64)));
static volatile struct {
    uint64_t steal;
    uint32_t version, flags;
    uint8_t preempted, pad[47];
} steal __attribute__((aligned(64)));
static volatile uint32_t eoi_flag __attribute__((aligned(64)));
static volatile uint32_t without_exit, halted, woken, give_up;
static bool intel;

static int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    int64_t result;
    if (intel)
        __asm__ volatile("vmcall"
                         : "=a"(result)
                         : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d)
                         : "memory");
    else
        __asm__ volatile("vmmcall"
                         : "=a"(result)
                         : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d)
                         : "memory");
    return result;
}

static uint64_t clock_ns(void)
{
    uint64_t delta = rdtsc() - clock.tsc;
    delta = clock.shift < 0 ? delta >> -clock.shift : delta << clock.shift;
    return clock.ns + (uint64_t)((unsigned __int128)delta * clock.multiplier >> 32);
}

static void kvmclock(void)
{
    wrmsr(MSR_SYSTEM_TIME, (uint64_t)&clock | 1);
    check("pv.clock_version_even", clock.version != 0 && !(clock.version & 1));
    check("pv.clock_tsc_stable", clock.flags & 1);
    uint64_t before = clock_ns();
    delay_us(20000);
    check_range("pv.clock_advances", clock_ns() - before, 19000000, 2000000000);
    wrmsr(MSR_WALL_CLOCK, (uint64_t)&wall);
    check("pv.wall_version_even", wall.version != 0 && !(wall.version & 1));
    check_range("pv.wall_seconds", wall.seconds, 1577836800u, 0xffffffffu); /* 2020 or later */
    check("pv.wall_ns", wall.ns < 1000000000u);
    wrmsr(MSR_SYSTEM_TIME, 0);
}

static void ended(struct trap_frame *f)
{
    (void)f;
    irq_count[VECTOR]++;
    if (__atomic_exchange_n(&eoi_flag, 0, __ATOMIC_SEQ_CST) & 1)
        without_exit++;
    else
        apic_eoi();
}

static void eoi(void)
{
    trap_set(VECTOR, ended);
    wrmsr(MSR_PV_EOI, (uint64_t)&eoi_flag | 1);
    uint32_t before = irq_count[VECTOR];
    interrupts_on();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        apic_icr(apic_id(), ICR_FIXED | VECTOR);
        for (uint32_t wait = 0; wait < 1000000 && irq_count[VECTOR] == before + i; wait++)
            pause_cpu();
    }
    interrupts_off();
    check_eq("pv.eoi_all_taken", irq_count[VECTOR] - before, ROUNDS);
    check_range("pv.eoi_without_exit", without_exit, ROUNDS * 9 / 10, ROUNDS);
    wrmsr(MSR_PV_EOI, 0);
    check_eq("pv.eoi_flag_taken_back", eoi_flag & 1, 0);
    bool idle = true;
    for (uint32_t i = 0; i < 8; i++)
        idle = idle && !apic_read(APIC_ISR + i * 16);
    check("pv.eoi_leaves_nothing", idle);
    trap_set(VECTOR, irq_counted);
}

static void steal_time(void)
{
    wrmsr(MSR_STEAL_TIME, (uint64_t)&steal | 1);
    uint32_t version = steal.version;
    check("pv.steal_version_even", version != 0 && !(version & 1));
    check_eq("pv.steal_not_preempted", steal.preempted, 0);
    uint64_t before = steal.steal;
    delay_us(20000);
    check("pv.steal_never_goes_back", steal.steal >= before);
    wrmsr(MSR_STEAL_TIME, 0);
}

/* Only a kick can end this HLT. */
static void wait_in_hlt(uint32_t cpu)
{
    (void)cpu;
    halted = 1;
    __asm__ volatile("cli; hlt; sti");
    woken = 1;
}

static void take_ipi(uint32_t cpu)
{
    (void)cpu;
    halted = 1;
    wait_for_interrupt();
    woken = 1;
}

static volatile uint32_t handled;

/* As Linux does: end of interrupt first, then the work that the sender waits for. */
static void ended_then_handled(struct trap_frame *f)
{
    ended(f);
    handled++;
}

static void take_many(uint32_t cpu)
{
    (void)cpu;
    wrmsr(MSR_PV_EOI, (uint64_t)&eoi_flag | 1);
    handled = 0;
    halted = 1;
    interrupts_on();
    while (handled < MANY && !give_up)
        pause_cpu();
    interrupts_off();
    wrmsr(MSR_PV_EOI, 0);
}

/* The other CPU ends interrupts without exits, so the next one comes while the one before still
 * looks pending from outside. None may be lost. */
static void many_ipis(void)
{
    uint32_t sent = 0;
    trap_set(VECTOR, ended_then_handled);
    halted = 0;
    smp_run(1, take_many);
    while (!halted)
        delay_us(100);
    for (bool lost = false; sent < MANY && !lost; sent++) {
        apic_icr(smp_apic_id(1), ICR_FIXED | VECTOR);
        for (uint32_t wait = 0; handled == sent && !lost; wait++) {
            lost = wait == 2000000;
            pause_cpu();
        }
    }
    give_up = 1;
    check("pv.eoi_on_other_cpu_ends", smp_done(1, 2000000));
    check_eq("pv.eoi_no_ipi_lost", handled, MANY);
    trap_set(VECTOR, irq_counted);
}

static void others(uint32_t features)
{
    uint32_t cpus = smp_start();
    if (!cpus) {
        say("info one CPU\n");
        return;
    }
    uint32_t id = smp_apic_id(1);
    if (features & FEATURE_SEND_IPI) {
        uint32_t before = irq_count[VECTOR];
        smp_run(1, take_ipi);
        while (!halted)
            delay_us(100);
        check_eq("pv.ipi_count", (uint64_t)hypercall(HC_SEND_IPI, 1ull << id, 0, 0, VECTOR), 1);
        check("pv.ipi_arrives", smp_done(1, 2000000) && irq_count[VECTOR] == before + 1);
        check_eq("pv.ipi_nobody", (uint64_t)hypercall(HC_SEND_IPI, 1, 0, 0xffffffff, VECTOR), 0);
    }
    if (features & FEATURE_EOI)
        many_ipis();
    if (features & FEATURE_UNHALT) {
        halted = woken = 0;
        smp_run(1, wait_in_hlt);
        while (!halted)
            delay_us(100);
        delay_us(5000);
        check_eq("pv.kick_waits", woken, 0);
        check_eq("pv.kick", (uint64_t)hypercall(HC_KICK, 0, id, 0, 0), 0);
        check("pv.kick_ends_hlt", smp_done(1, 2000000) && woken);
    }
}

void guest_main(void)
{
    struct cpuid kvm = cpuid(0x40000000u, 0);
    if (!(cpuid(1, 0).ecx >> 31 & 1) || kvm.ebx != 0x4b4d564b || kvm.ecx != 0x564b4d56) {
        say("info not under KVM or the like\n");
        return;
    }
    uint32_t features = cpuid(0x40000001u, 0).eax;
    say("info features 0x%x\n", features);
    intel = cpuid(0, 0).ebx == 0x756e6547;
    pic_init(0xff, 0xff);
    apic_init(true);
    check_eq("pv.unknown_hypercall", (uint64_t)hypercall(0x1234, 0, 0, 0, 0), (uint64_t)-1000);
    if (features & FEATURE_CLOCK)
        kvmclock();
    if (features & FEATURE_EOI)
        eoi();
    if (features & FEATURE_STEAL)
        steal_time();
    trap_set(VECTOR, irq_counted);
    others(features);
}
