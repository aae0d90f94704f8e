/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the TSC runs. What the CPU or a hypervisor states is taken when a short measurement
 * agrees (emulators are known to state another CPU's figures); else the measurement counts. */
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/platform.h"
#include "arch/x86_64/tsc_math.h"
#include "lib/string.h"

#define PM_TIMER_HZ 3579545u

#define SPAN_MIN_HZ 500u /* measure at least 1/500 s ... */
#define SPAN_MAX_HZ 10u  /* ... and at most 1/10 s */
#define PRECISION   4000u
#define SAMPLES     16u

#define HPET_CAPABILITIES 0x00u
#define HPET_CONFIG       0x10u
#define HPET_COUNTER      0xf0u
#define HPET_ENABLE       1u
#define FEMTOSECONDS      1000000000000000ull
#define HPET_PERIOD_MAX   100000000u /* by the HPET specification */

uint64_t tsc_khz;

/* A free-running counter to compare with. */
struct reference {
    const char *name;
    uint64_t (*read)(void);
    uint64_t hz, mask;
};

static volatile uint8_t *hpet;

static uint64_t hpet_read(void)
{
    return *(volatile uint32_t *)(hpet + HPET_COUNTER);
}

static uint64_t pm_timer_read(void)
{
    return inl(acpi.pm_timer_port);
}

static bool hpet_start(struct reference *ref)
{
    hpet = acpi.hpet_base ? kmap_mmio(hpa(acpi.hpet_base), 0x400) : NULL;
    if (!hpet)
        return false;
    uint32_t period = *(volatile uint32_t *)(hpet + HPET_CAPABILITIES + 4);
    if (!period || period > HPET_PERIOD_MAX)
        return false;
    volatile uint32_t *config = (volatile uint32_t *)(hpet + HPET_CONFIG);
    *config |= HPET_ENABLE;
    *ref = (struct reference){"HPET", hpet_read, FEMTOSECONDS / period, UINT32_MAX};
    return true;
}

static bool pm_timer_start(struct reference *ref)
{
    if (!acpi.pm_timer_port)
        return false;
    *ref = (struct reference){"PM timer", pm_timer_read, PM_TIMER_HZ,
                              acpi.pm_timer_32bit ? UINT32_MAX : 0xffffff};
    return true;
}

/* A host that preempts an emulator, or an SMI, spoils a single reading. */
struct tsc_sample tsc_sample(uint64_t (*read)(void))
{
    struct tsc_sample best = {0, 0, UINT64_MAX};
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t before = rdtsc();
        uint64_t ticks = read();
        uint64_t window = rdtsc() - before;
        if (window < best.window)
            best = (struct tsc_sample){before + window / 2, ticks, window};
    }
    return best;
}

/* Measures until the uncertainty of both ends is small beside the span. 0: the clock stands still,
 * or something took its time away. */
static uint64_t measure(const struct reference *ref)
{
    struct tsc_sample start = tsc_sample(ref->read);
    uint64_t least = ref->hz / SPAN_MIN_HZ;
    uint64_t most = ref->hz / SPAN_MAX_HZ;
    uint64_t stuck_after = rdtsc() + 4000000000ull; /* a second or so on any CPU */

    for (;;) {
        struct tsc_sample end = tsc_sample(ref->read);
        uint64_t ticks = (end.ticks - start.ticks) & ref->mask;
        uint64_t tsc = end.tsc - start.tsc;
        bool precise =
            ticks >= least && (start.window + end.window) < tsc / PRECISION && ticks > PRECISION;
        if (precise || ticks >= most)
            return khz_from_count(tsc, ticks, ref->hz);
        if (rdtsc() > stuck_after)
            return 0;
    }
}

static uint64_t measured(const char **name)
{
    static bool (*const start[])(struct reference *) = {hpet_start, pm_timer_start};
    for (uint32_t i = 0; i < ARRAY_LEN(start); i++) {
        struct reference ref;
        if (!start[i](&ref))
            continue;
        uint64_t khz = measure(&ref);
        *name = ref.name;
        if (khz)
            return khz;
        kprintf("tsc: %s does not count\n", ref.name);
    }
    return 0;
}

/* CPUID leaves 15h and 16h. */
static uint64_t stated_by_cpu(void)
{
    struct cpuid_regs r = cpuid_leaf(0x15, 0);
    if (features.vendor != VENDOR_INTEL || !r.eax || !r.ebx)
        return 0;
    if (r.ecx)
        return scale(r.ecx, r.ebx, r.eax) / 1000;
    /* The ratio without the crystal's frequency: the base frequency is the TSC's then. */
    return (uint64_t)(cpuid_leaf(0x16, 0).eax & 0xffff) * 1000;
}

/* The leaf that VMware defined and KVM and others took over. */
static uint64_t stated_by_hypervisor(void)
{
    bool known = hypervisor_is("KVMKVMKVM\0\0\0") || hypervisor_is("VMwareVMware") ||
                 hypervisor_is("TCGTCGTCGTCG");
    return known ? cpuid_leaf(0x40000010, 0).eax : 0;
}

void tsc_calibrate(void)
{
    const char *source = "";
    uint64_t real = measured(&source);
    const char *stater = "CPUID leaf 15h";
    uint64_t stated = stated_by_cpu();

    if (!stated) {
        stater = "hypervisor leaf";
        stated = stated_by_hypervisor();
    }
    if (stated && (!real || within_permille(real, stated, 10))) {
        source = stater;
        real = stated;
    } else if (stated) {
        kprintf("tsc: %s states %lu kHz, which is not what %s shows\n", stater, stated, source);
    }
    if (!real)
        panic("no clock (HPET, PM timer) to measure the TSC with");
    tsc_khz = real;
    kprintf("tsc: %lu.%03lu MHz by %s%s\n", real / 1000, real % 1000, source,
            features.invariant_tsc ? ", invariant" : "");
}

uint64_t tsc_from_us(uint64_t us)
{
    return scale(us, tsc_khz, 1000);
}

uint64_t tsc_to_us(uint64_t tsc)
{
    return tsc_khz ? scale(tsc, 1000, tsc_khz) : 0;
}

void tsc_wait_us(uint64_t us)
{
    uint64_t start = rdtsc(), span = tsc_from_us(us);
    while (rdtsc() - start < span)
        cpu_pause();
}
