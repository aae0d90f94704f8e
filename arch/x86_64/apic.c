/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/apic.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/platform.h"

/* Register offsets: SDM vol. 3, "Local APIC Register Address Map". */
#define APIC_ID         0x020u
#define APIC_VERSION    0x030u
#define APIC_TPR        0x080u
#define APIC_EOI        0x0b0u
#define APIC_LDR        0x0d0u
#define APIC_DFR        0x0e0u
#define APIC_SVR        0x0f0u
#define APIC_ISR        0x100u /* eight registers */
#define APIC_ESR        0x280u
#define APIC_ICR        0x300u
#define APIC_ICR_HIGH   0x310u
#define APIC_LVT_TIMER  0x320u
#define APIC_LVT_THERM  0x330u
#define APIC_LVT_PERF   0x340u
#define APIC_LVT_LINT0  0x350u
#define APIC_LVT_LINT1  0x360u
#define APIC_LVT_ERROR  0x370u
#define APIC_TIMER_INIT 0x380u
#define APIC_TIMER_NOW  0x390u
#define APIC_TIMER_DIV  0x3e0u

#define SVR_ENABLE     0x100u
#define LVT_MASKED     0x10000u
#define LVT_NMI        0x400u
#define TIMER_DEADLINE 0x40000u
#define DIVIDE_BY_1    0xbu

#define ICR_FIXED      0x000u
#define ICR_NMI        0x400u
#define ICR_INIT       0x500u
#define ICR_STARTUP    0x600u
#define ICR_PENDING    0x1000u
#define ICR_ASSERT     0x4000u
#define ICR_ALL_OTHERS 0xc0000u

#define MSI_ADDRESS     0xfee00000ull
#define XAPIC_BROADCAST 0xffu
#define TIMER_SPAN_US   2000u
#define SEND_SPINS      1000000u

static volatile uint8_t *xapic; /* NULL in x2APIC mode */
static bool x2apic, deadline;
static uint64_t timer_ratio; /* APIC timer ticks a TSC tick, << 32 */
static uint32_t lvt_entries, nmi_lint;

static uint32_t apic_read(uint32_t reg)
{
    if (x2apic)
        return (uint32_t)rdmsr(X2APIC_MSR + (reg >> 4));
    return *(volatile uint32_t *)(xapic + reg);
}

static void apic_write(uint32_t reg, uint32_t value)
{
    if (x2apic)
        wrmsr(X2APIC_MSR + (reg >> 4), value);
    else
        *(volatile uint32_t *)(xapic + reg) = value;
}

static void enable_mode(void)
{
    uint64_t base = rdmsr(IA32_APIC_BASE) | APIC_BASE_EN;
    wrmsr(IA32_APIC_BASE, base);
    if (x2apic && !(base & APIC_BASE_EXTD))
        wrmsr(IA32_APIC_BASE, base | APIC_BASE_EXTD);
}

static uint64_t timer_count(void)
{
    return apic_read(APIC_TIMER_NOW);
}

/* Ticks of the one-shot timer in a span measured with the TSC. */
static void timer_calibrate(void)
{
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VEC_TIMER);
    apic_write(APIC_TIMER_DIV, DIVIDE_BY_1);
    apic_write(APIC_TIMER_INIT, UINT32_MAX);
    struct tsc_sample start = tsc_sample(timer_count);
    tsc_wait_us(TIMER_SPAN_US);
    struct tsc_sample end = tsc_sample(timer_count);
    apic_write(APIC_TIMER_INIT, 0);
    timer_ratio = ((start.ticks - end.ticks) << 32) / (end.tsc - start.tsc);
    if (!timer_ratio)
        panic("local APIC timer does not count");
    kprintf("apic: timer %lu kHz\n", tsc_khz * (timer_ratio >> 16) >> 16);
}

static void choose_mode(void)
{
    bool firmware = (rdmsr(IA32_APIC_BASE) & APIC_BASE_EXTD) != 0;
    bool off = cmdline_has("nox2apic");

    /* There is no way back from x2APIC but through a disabled APIC, which loses its state. */
    x2apic = features.x2apic && (!off || firmware);
    if (off && firmware)
        kprintf("apic: firmware switched x2APIC on, nox2apic is ignored\n");
    deadline = features.tsc_deadline && !cmdline_has("notscdeadline");
}

void apic_init(uint32_t nmi_pin)
{
    nmi_lint = nmi_pin;
    uint64_t base = rdmsr(IA32_APIC_BASE) & 0x000ffffffffff000ull;

    choose_mode();
    if (!x2apic) {
        xapic = kmap_mmio(hpa(base), PAGE_SIZE);
        if (!xapic)
            panic("no memory to map the local APIC");
    }
    enable_mode();
    apic_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
    lvt_entries = (apic_read(APIC_VERSION) >> 16 & 0xff) + 1;
    kprintf("apic: %s mode, timer in %s mode\n", x2apic ? "x2APIC" : "xAPIC",
            deadline ? "TSC-deadline" : "one-shot");
}

/* Interrupts that firmware left in service would block ours of lower priority. */
static void end_left_over(void)
{
    for (uint32_t i = 0; i < 8; i++)
        for (uint32_t bits = apic_read(APIC_ISR + 0x10 * i); bits; bits &= bits - 1)
            apic_eoi();
}

void apic_init_cpu(void)
{
    enable_mode();
    cpu_self()->info.apic_id = apic_id_self();
    if (!deadline && !timer_ratio)
        timer_calibrate();
    apic_write(APIC_TPR, 0);
    if (!x2apic) {
        apic_write(APIC_DFR, UINT32_MAX);
        apic_write(APIC_LDR, 0);
    }
    /* No interrupt comes through the 8259s. */
    apic_write(APIC_LVT_LINT0, nmi_lint == 0 ? LVT_NMI : LVT_MASKED);
    apic_write(APIC_LVT_LINT1, nmi_lint == 1 ? LVT_NMI : LVT_MASKED);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    if (lvt_entries > 4)
        apic_write(APIC_LVT_PERF, LVT_MASKED);
    if (lvt_entries > 5)
        apic_write(APIC_LVT_THERM, LVT_MASKED);
    apic_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
    if (deadline) {
        apic_write(APIC_LVT_TIMER, TIMER_DEADLINE | VEC_TIMER);
        /* The write to the LVT must be done before the first one to IA32_TSC_DEADLINE (SDM vol. 3,
         * "TSC-Deadline Mode"). */
        __asm__ volatile("mfence" ::: "memory");
    } else {
        apic_write(APIC_TIMER_DIV, DIVIDE_BY_1);
        apic_write(APIC_LVT_TIMER, VEC_TIMER);
    }
    apic_timer_set(UINT64_MAX);
    end_left_over();
}

uint32_t apic_id_self(void)
{
    uint32_t id = apic_read(APIC_ID);
    return x2apic ? id : id >> 24;
}

bool apic_is_x2apic(void)
{
    return x2apic;
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_look_again(void)
{
    apic_write(APIC_TPR, 0);
}

static void send(uint32_t apic_id, uint32_t command)
{
    if (x2apic) {
        /* A WRMSR to an x2APIC register does not wait for stores that the receiver must see. */
        __asm__ volatile("mfence; lfence" ::: "memory");
        wrmsr(X2APIC_MSR + (APIC_ICR >> 4), (uint64_t)apic_id << 32 | command);
        return;
    }
    for (uint32_t i = 0; i < SEND_SPINS && (apic_read(APIC_ICR) & ICR_PENDING); i++)
        cpu_pause();
    apic_write(APIC_ICR_HIGH, apic_id << 24);
    apic_write(APIC_ICR, command);
}

void apic_ipi(uint32_t cpu, uint8_t vector)
{
    send(cpus[cpu]->apic_id, ICR_FIXED | ICR_ASSERT | vector);
}

void apic_nmi_others(void)
{
    if (x2apic || xapic)
        send(0, ICR_ALL_OTHERS | ICR_NMI | ICR_ASSERT);
}

void apic_init_ipi(uint32_t apic_id)
{
    send(apic_id, ICR_INIT | ICR_ASSERT);
}

void apic_startup_ipi(uint32_t apic_id, uint8_t page)
{
    send(apic_id, ICR_STARTUP | ICR_ASSERT | page);
}

/* Ticks for a span of TSC ticks, rounded up so that it never fires early, cut at the counter's
 * width: the interrupt handler sets what is left. */
static uint32_t timer_ticks(uint64_t span)
{
    if (span >> 32)
        span = UINT32_MAX;
    /* The ratio is below 1 on every machine seen, but a slow TSC under emulation may exceed it. */
    unsigned __int128 ticks = (unsigned __int128)span * timer_ratio >> 32;
    return ticks >= UINT32_MAX ? UINT32_MAX : (uint32_t)ticks + 1;
}

void apic_timer_set(uint64_t tsc)
{
    if (deadline) {
        /* 0 disarms. */
        wrmsr(IA32_TSC_DEADLINE, tsc == UINT64_MAX ? 0 : MAX(tsc, 1));
        return;
    }
    if (tsc == UINT64_MAX) {
        apic_write(APIC_TIMER_INIT, 0);
        return;
    }
    uint64_t now = rdtsc();
    apic_write(APIC_TIMER_INIT, timer_ticks(tsc > now ? tsc - now : 0));
}

void apic_msi(uint32_t cpu, uint8_t vector, uint64_t *address, uint32_t *data)
{
    uint32_t id = cpus[cpu]->apic_id;
    /* Without interrupt remapping a message names 8 bits of the id; the boot CPU takes the rest. */
    if (id >= XAPIC_BROADCAST)
        id = cpus[0]->apic_id;
    *address = MSI_ADDRESS | (uint64_t)id << 12;
    *data = vector;
}
