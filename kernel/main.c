/* SPDX-License-Identifier: BSD-2-Clause */
/* From the boot code to the root task. */
#include "abi/kinfo.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/idle.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/iommu.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kpaging.h"
#include "arch/x86_64/platform.h"
#include "boot/bootinfo.h"
#include "kernel/dispatch.h"
#include "kernel/kinfo.h"
#include "kernel/machine.h"
#include "kernel/quiesce.h"
#include "kernel/root.h"
#include "kernel/thread.h"
#include "lib/string.h"
#include "sched/sc.h"
#include "sched/trace.h"

struct kinfo *kinfo;
static const struct bootinfo *boot;

void call_on_kernel_stack(void (*fn)(void), uint64_t stack);

static void copy_text(char *to, const char *from, size_t size)
{
    size_t length = MIN(strlen(from), size - 1);
    memcpy(to, from, length);
    to[length] = 0;
}

static void fill_kinfo(void)
{
    kinfo->abi_version = KINFO_ABI_VERSION;
    kinfo->cpu_count = cpu_count;
    kinfo->tsc_khz = tsc_khz;
    kinfo->vendor = features.vendor;
    kinfo->virt = virt_kind();
    kinfo->assists = virt_assists;
    kinfo->xcr0 = features.xsave ? features.xcr0 : 0;
    memcpy(kinfo->cpu_name, features.name, sizeof(kinfo->cpu_name));
    copy_text(kinfo->version, MULLION_VERSION, sizeof(kinfo->version));
}

static void cpu_up(void)
{
    struct cpu *cpu = cpu_self();
    if (!runq_init(cpu) || !timerq_init(cpu))
        panic("CPU %u: no memory for its queues", cpu->id);
    virt_init_cpu(cpu);
}

/* Each further CPU, on its own stack. */
static void ap_main(void)
{
    cpu_up();
    section_enter(cpu_self());
    cpu_self()->resched = 1;
    return_to_user_regs(kernel_exit());
}

static void bsp_main(void)
{
    struct cpu *cpu = cpu_self();
    cpu_load_tables(cpu);
    cpu_init_registers();
    apic_init_cpu();
    cpu->apic_id = apic_id_self();
    iommu_init(&boot->acpi.dma);
    virt_init();
    cpu_up();
    smp_start(boot, ap_main);
    idle_poll_most = cmdline_has("haltpoll") ? tsc_from_us(IDLE_POLL_US) : 0;
    if (cmdline_has("trace") && !trace_switch(true))
        kprintf("no memory for a trace\n");
    fill_kinfo();
    kprintf("%u CPUs, %llu MHz, kernel pool %llu KiB\n", cpu_count,
            (unsigned long long)tsc_khz / 1000, (unsigned long long)kmem_total() / 1024);
    root_start(boot);
    kpaging_end_boot();
    section_enter(cpu);
    cpu->resched = 1;
    return_to_user_regs(kernel_exit());
}

void kernel_main(const struct bootinfo *info)
{
    boot = info;
    tsc_khz = info->tsc_khz;
    klog_init_serial();
    copy_text(cmdline, info->cmdline, BOOTINFO_CMDLINE);
    if (!info->error) {
        features = info->features;
        kpaging_init(info);
        klog_init_memory(hpa_to_kva(hpa(info->pool_base - BOOTINFO_KEPT)), BOOTINFO_KEPT);
    }
    klog_init_screen(info);
    kprintf("Mullion %s, booted by %s\n", MULLION_VERSION, info->boot_method);
    klog_write(info->log, strlen(info->log));
    if (info->error)
        panic("Mullion cannot start: %s", info->error);
    klog_last_run();
    apic_init(info->acpi.nmi_lint);
    ioapic_init(&info->acpi);
    mitigations_init(&info->mitigations);
    kinfo = kmem_pages(0);
    struct cpu *cpu = cpu_create(0, 0);
    if (!kinfo || !cpu)
        panic("no memory for the first CPU");
    call_on_kernel_stack(bsp_main, cpu->kernel_stack);
    __builtin_unreachable();
}
