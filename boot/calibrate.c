/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the TSC runs. What the CPU or a hypervisor states is taken when a short measurement
 * agrees (emulators are known to state another CPU's figures); else the measurement counts. */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "boot/program.h"
#include "lib/string.h"
#include "lib/tsc_math.h"

#define PM_TIMER_HZ 3579545u

#define SPAN_MIN_HZ 500u /* measure at least 1/500 s ... */
#define SPAN_MAX_HZ 10u  /* ... and at most 1/10 s */
#define PRECISION   4000u

#define HPET_CAPABILITIES 0x00u
#define HPET_CONFIG       0x10u
#define HPET_COUNTER      0xf0u
#define HPET_ENABLE       1u
#define FEMTOSECONDS      1000000000000000ull
#define HPET_PERIOD_MAX   100000000u /* by the HPET specification */

/* A free-running counter to compare with. */
struct reference {
    const char *name;
    uint64_t (*read)(void);
    uint64_t hz, mask;
};

static const struct acpi_info *acpi;
static volatile uint8_t *hpet;

static uint64_t hpet_read(void)
{
    return *(volatile uint32_t *)(hpet + HPET_COUNTER);
}

static uint64_t pm_timer_read(void)
{
    return inl(acpi->pm_timer_port);
}

static bool hpet_start(struct reference *ref)
{
    hpet = acpi->hpet_base ? early_map(acpi->hpet_base, 0x400) : NULL;
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
    if (!acpi->pm_timer_port)
        return false;
    *ref = (struct reference){"PM timer", pm_timer_read, PM_TIMER_HZ,
                              acpi->pm_timer_32bit ? UINT32_MAX : 0xffffff};
    return true;
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
        boot_note("tsc: %s does not count\n", ref.name);
    }
    return 0;
}

/* CPUID leaves 15h and 16h. */
static uint64_t stated_by_cpu(void)
{
    struct cpuid_regs r = cpuid_leaf(0x15, 0);
    if (!r.eax || !r.ebx || !signature_is(0, "GenuntelineI"))
        return 0;
    if (r.ecx)
        return scale(r.ecx, r.ebx, r.eax) / 1000;
    /* The ratio without the crystal's frequency: the base frequency is the TSC's then. */
    return (uint64_t)(cpuid_leaf(0x16, 0).eax & 0xffff) * 1000;
}

/* The leaf that VMware defined and KVM and others took over. */
static uint64_t stated_by_hypervisor(void)
{
    bool below = cpuid(1, 0).ecx >> 31;
    bool known = below && (signature_is(0x40000000, "KVMKVMKVM\0\0\0") ||
                           signature_is(0x40000000, "VMwareVMware") ||
                           signature_is(0x40000000, "TCGTCGTCGTCG"));
    return known ? cpuid_leaf(0x40000010, 0).eax : 0;
}

const char *tsc_calibrate(struct bootinfo *info)
{
    acpi = &info->acpi;
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
        boot_note("tsc: %s states %lu kHz, which is not what %s shows\n", stater, stated, source);
    }
    if (!real)
        return "no clock (HPET, PM timer) to measure the TSC with";
    info->tsc_khz = real;
    boot_note("tsc: %lu.%03lu MHz by %s%s\n", real / 1000, real % 1000, source,
              cpuid_leaf(0x80000007, 0).edx >> 8 & 1 ? ", invariant" : "");
    return NULL;
}
