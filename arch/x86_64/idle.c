/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/idle.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/platform.h"

#define MWAIT_EXTENSIONS    (1u << 0) /* CPUID leaf 5, ECX */
#define MWAIT_INTERRUPT_IF0 (1u << 1)

static bool use_mwait;

/* Models whose MONITOR can miss a store or an interrupt, by Intel's specification updates: Xeon
 * 7400 (AAI65) and Nehalem/Westmere-EX (need CLFLUSH before MONITOR), Goldmont (APL30), Lunar Lake.
 */
static bool monitor_erratum(void)
{
    static const uint8_t models[] = {0x1d, 0x2e, 0x2f, 0x5c, 0xbd};
    if (features.vendor != VENDOR_INTEL || features.family != 6)
        return false;
    for (uint32_t i = 0; i < ARRAY_LEN(models); i++)
        if (features.model == models[i])
            return true;
    return false;
}

void idle_init(void)
{
    uint32_t need = MWAIT_EXTENSIONS | MWAIT_INTERRUPT_IF0;

    /* Under a hypervisor MWAIT is emulated as an exit or as a busy loop; HLT is what it expects. */
    if (!features.monitor || features.hypervisor || cmdline_has("nomwait") || monitor_erratum())
        return;
    use_mwait = (cpuid_leaf(5, 0).ecx & need) == need;
    if (use_mwait)
        kprintf("idle: MWAIT\n");
}

void idle_wait(void)
{
    struct cpu *cpu = cpu_self();

    if (!use_mwait) {
        __asm__ volatile("sti; hlt; cli" ::: "memory");
        return;
    }
    __asm__ volatile("monitor" ::"a"(&cpu->resched), "c"(0), "d"(0));
    /* A store before MONITOR would be missed, so look again. */
    if (!__atomic_load_n((uint32_t *)&cpu->resched, __ATOMIC_ACQUIRE))
        __asm__ volatile("mwait" ::"a"(0), "c"(1) : "memory");
    __asm__ volatile("sti; nop; cli" ::: "memory");
}
