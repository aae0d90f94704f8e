/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts the other CPUs, one at a time: INIT, start-up IPI, a second one if there is no answer
 * (SDM vol. 3, "Typical AP Initialization Sequence"). */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpublock.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kpaging.h"
#include "arch/x86_64/platform.h"
#include "arch/x86_64/smp.h"
#include "boot/bootinfo.h"
#include "lib/string.h"

#define INIT_WAIT_US    100u   /* the manual's 10 ms are for CPUs older than 64-bit mode */
#define STARTUP_WAIT_US 20000u /* the manual's 200 us, times what an emulator may need */
#define ANSWER_WAIT_US  1000000u
#define APIC_ID_XAPIC   255u /* ids from here on exist in x2APIC mode only */

extern const uint8_t __trampoline_start[], __trampoline_end[]; /* linker.ld */
extern const uint8_t trampoline_gdt[], trampoline_entry[];     /* words of it to be filled in */

void call_on_kernel_stack(void (*fn)(void), uint64_t stack); /* entry.S */

static struct cpu_start cpu_start;
static uint64_t kernel_cr3;
static void (*cpu_entry)(void);
static uint64_t start_stack;      /* of the CPU that is being started */
static _Atomic uint32_t answered; /* apic id + 1 of the CPU that came up; partner: wait_for() */

static void set_word(uint8_t *page, const uint8_t *word, uint64_t value)
{
    uint32_t low = (uint32_t)value;
    memcpy(page + (word - __trampoline_start), &low, sizeof(low));
}

static void fill_trampoline(void)
{
    uint8_t *page = hpa_to_kva(hpa(cpu_start.page));

    memset(page, 0, PAGE_SIZE);
    memcpy(page, __trampoline_start, (size_t)(__trampoline_end - __trampoline_start));
    set_word(page, trampoline_gdt, cpu_start.gdt);
    set_word(page, trampoline_entry, cpu_start.entry);
}

/* First C code of a started CPU on its own stack. */
static void ap_main(void)
{
    struct cpu *cpu = cpu_self();

    cpu_init_registers();
    cpu_load_tables(cpu);
    apic_init_cpu();
    __atomic_store_n((uint32_t *)&answered, cpu->apic_id + 1, __ATOMIC_RELEASE);
    cpu_entry();
    panic("CPU %u has nothing to run", cpu->id);
}

void smp_cpu_entry(void)
{
    write_cr3(kernel_cr3);
    call_on_kernel_stack(ap_main, start_stack);
    __builtin_unreachable();
}

static bool wait_for(uint32_t apic_id, uint64_t us)
{
    uint64_t start = rdtsc(), span = tsc_from_us(us);
    do {
        if (__atomic_load_n((uint32_t *)&answered, __ATOMIC_ACQUIRE) == apic_id + 1)
            return true;
        cpu_pause();
    } while (rdtsc() - start < span);
    return false;
}

static bool start_cpu(uint32_t apic_id)
{
    uint8_t page = (uint8_t)(cpu_start.page >> PAGE_SHIFT);

    apic_init_ipi(apic_id);
    wait_for(apic_id, INIT_WAIT_US);
    apic_startup_ipi(apic_id, page);
    if (wait_for(apic_id, STARTUP_WAIT_US))
        return true;
    apic_startup_ipi(apic_id, page);
    if (wait_for(apic_id, ANSWER_WAIT_US))
        return true;
    /* It must not wake up later with a stack that is no longer its own. */
    apic_init_ipi(apic_id);
    return false;
}

static void start_one(const struct acpi_cpu *from)
{
    uint32_t apic_id = from->apic_id;
    if (apic_id >= APIC_ID_XAPIC && !apic_is_x2apic()) {
        kprintf("smp: CPU with APIC id %u needs x2APIC mode, left out\n", apic_id);
        return;
    }
    struct cpu *cpu = cpu_create(cpu_count, apic_id);
    if (!cpu) {
        kprintf("smp: no memory for CPU with APIC id %u, left out\n", apic_id);
        return;
    }
    cpu->node = from->domain;
    start_stack = cpu->kernel_stack;
    cpus[cpu_count] = cpu;
    if (start_cpu(apic_id)) {
        cpu_count++;
        return;
    }
    /* Its stacks stay: they are mapped for good. */
    cpus[cpu_count] = NULL;
    kprintf("smp: CPU with APIC id %u does not answer, left out\n", apic_id);
}

static bool grow_cpus(uint32_t count)
{
    uint64_t bytes = (uint64_t)MAX(count, 1) * sizeof(struct cpu *);
    struct cpu **all = kmem_pages(kmem_order(bytes));
    if (!all)
        return false;
    all[0] = cpus[0];
    cpus = all;
    return true;
}

void smp_start(uint32_t limit, const struct bootinfo *info, void (*entry)(void))
{
    const struct acpi_cpu *list = hpa_to_kva(hpa((uint64_t)info->acpi.cpu));
    uint32_t count = info->acpi.cpu_count;
    cpu_start = info->cpu_start;
    cpu_entry = entry;
    if (!grow_cpus(count))
        return;
    for (uint32_t i = 0; i < count; i++)
        if (list[i].apic_id == cpus[0]->apic_id)
            cpus[0]->node = list[i].domain;
    if (count < 2 || limit < 2)
        return;
    if (!cpu_start.page || cpu_start.page >= MIB || !kmap_foreign(hpa(cpu_start.page))) {
        kprintf("smp: no page below 1 MiB to start CPUs from\n");
        return;
    }
    kernel_cr3 = read_cr3();
    fill_trampoline();
    for (uint32_t i = 0; i < count && cpu_count < limit; i++)
        if (list[i].enabled && list[i].apic_id != cpus[0]->apic_id)
            start_one(&list[i]);
    kunmap_foreign(hpa(cpu_start.page));
    kprintf("smp: %u CPUs\n", cpu_count);
}
