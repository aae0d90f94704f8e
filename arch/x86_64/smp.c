/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts the other CPUs, one at a time: INIT, start-up IPI, a second one if there is no answer
 * (SDM vol. 3, "Typical AP Initialization Sequence"). */
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/bootmap.h"
#include "arch/x86_64/cpublock.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/klog_panic.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/platform.h"
#include "arch/x86_64/trampoline.h"
#include "lib/string.h"

#define INIT_WAIT_US    100u   /* the manual's 10 ms are for CPUs older than 64-bit mode */
#define STARTUP_WAIT_US 20000u /* the manual's 200 us, times what an emulator may need */
#define ANSWER_WAIT_US  1000000u
#define APIC_ID_XAPIC   255u /* ids from here on exist in x2APIC mode only */

#define PTE_TABLE    0x3ull /* present, writable */
#define PTE_RO       0x1ull
#define CODE32       0x00cf9b000000ffffull
#define CODE64       0x00af9b000000ffffull
#define DATA_SEGMENT 0x00cf93000000ffffull

extern const uint8_t __trampoline_start[], __trampoline_end[]; /* linker.ld */
extern const uint8_t trampoline_32[], trampoline_64[];

struct trampoline_data {
    uint16_t gdt_limit;
    uint32_t gdt_base;
    uint16_t pad;
    uint32_t far32_offset, far32_selector;
    uint32_t far64_offset, far64_selector;
    uint32_t cr3, pad2;
    uint64_t stack, entry;
    uint64_t gdt[4];
} __attribute__((packed));
#define CHECK_OFFSET(field, name) \
    _Static_assert(offsetof(struct trampoline_data, field) == TRAMPOLINE_##name, "trampoline.S")
CHECK_OFFSET(gdt_limit, GDTR);
CHECK_OFFSET(far32_offset, FAR32);
CHECK_OFFSET(far64_offset, FAR64);
CHECK_OFFSET(cr3, CR3);
CHECK_OFFSET(stack, STACK);
CHECK_OFFSET(entry, ENTRY);
CHECK_OFFSET(gdt, GDT);

/* Root, then the three tables that lead to the trampoline's page. */
static uint64_t *tables[4];
static uint64_t kernel_cr3;
static void (*cpu_entry)(void);
static _Atomic uint32_t answered; /* apic id + 1 of the CPU that came up; partner: wait_for() */

static bool build_tables(void)
{
    for (uint32_t i = 0; i < ARRAY_LEN(tables); i++) {
        tables[i] = kmem_pages(0);
        if (!tables[i])
            return false;
    }
    kernel_cr3 = read_cr3();
    /* A CPU in 32-bit mode loads the low half of CR3 only. */
    if (kva_to_hpa(tables[0]).v >> 32)
        return false;
    const uint64_t *root = hpa_to_kva(hpa(align_down(kernel_cr3, PAGE_SIZE)));
    memcpy(tables[0] + 256, root + 256, PAGE_SIZE / 2);
    tables[0][0] = kva_to_hpa(tables[1]).v | PTE_TABLE;
    tables[1][0] = kva_to_hpa(tables[2]).v | PTE_TABLE;
    tables[2][0] = kva_to_hpa(tables[3]).v | PTE_TABLE;
    tables[3][trampoline_pa >> PAGE_SHIFT] = trampoline_pa | PTE_RO;
    return true;
}

static void free_tables(void)
{
    for (uint32_t i = 0; i < ARRAY_LEN(tables); i++)
        if (tables[i])
            kmem_free_pages(tables[i], 0);
}

static void ap_main(void);

static struct trampoline_data *fill_trampoline(void)
{
    uint8_t *page = hpa_to_kva(hpa(trampoline_pa));
    struct trampoline_data *data = (void *)(page + TRAMPOLINE_DATA);
    uint32_t base = (uint32_t)trampoline_pa;

    memset(page, 0, PAGE_SIZE);
    memcpy(page, __trampoline_start, (size_t)(__trampoline_end - __trampoline_start));
    data->gdt_limit = sizeof(data->gdt) - 1;
    data->gdt_base = base + TRAMPOLINE_DATA + TRAMPOLINE_GDT;
    data->far32_offset = base + (uint32_t)(trampoline_32 - __trampoline_start);
    data->far32_selector = TRAMPOLINE_SEL_CODE32;
    data->far64_offset = base + (uint32_t)(trampoline_64 - __trampoline_start);
    data->far64_selector = TRAMPOLINE_SEL_CODE64;
    data->cr3 = (uint32_t)kva_to_hpa(tables[0]).v;
    data->entry = (uint64_t)ap_main;
    data->gdt[TRAMPOLINE_SEL_CODE32 >> 3] = CODE32;
    data->gdt[TRAMPOLINE_SEL_CODE64 >> 3] = CODE64;
    data->gdt[TRAMPOLINE_SEL_DATA >> 3] = DATA_SEGMENT;
    return data;
}

/* First C code of a started CPU, on its own stack. */
static void ap_main(void)
{
    struct cpu *cpu = cpu_self();

    write_cr3(kernel_cr3);
    cpu_init_registers();
    cpu_load_tables(cpu);
    apic_init_cpu();
    __atomic_store_n((uint32_t *)&answered, cpu->apic_id + 1, __ATOMIC_RELEASE);
    cpu_entry();
    panic("CPU %u has nothing to run", cpu->id);
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
    uint8_t page = (uint8_t)(trampoline_pa >> PAGE_SHIFT);

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

/* Nodes are numbered in the order in which their domains appear in the SRAT's CPUs. */
static uint32_t dense_node(uint32_t index)
{
    uint32_t node = 0;
    for (uint32_t i = 0; i < index; i++) {
        if (acpi.cpu[i].domain == acpi.cpu[index].domain)
            return dense_node(i);
        bool seen = false;
        for (uint32_t j = 0; j < i; j++)
            seen |= acpi.cpu[j].domain == acpi.cpu[i].domain;
        node += !seen;
    }
    return node;
}

static void describe(struct cpu *cpu, uint32_t index)
{
    cpu->node = dense_node(index);
    cpu->info.node = cpu->node;
}

static void start_one(uint32_t index, struct trampoline_data *data)
{
    uint32_t apic_id = acpi.cpu[index].apic_id;
    if (apic_id >= APIC_ID_XAPIC && !apic_is_x2apic()) {
        kprintf("smp: CPU with APIC id %u needs x2APIC mode, left out\n", apic_id);
        return;
    }
    struct cpu *cpu = cpu_create(cpu_count, apic_id);
    if (!cpu) {
        kprintf("smp: no memory for CPU with APIC id %u, left out\n", apic_id);
        return;
    }
    describe(cpu, index);
    data->stack = cpu->kernel_stack;
    cpus[cpu_count] = cpu;
    if (start_cpu(apic_id)) {
        cpu_count++;
        return;
    }
    /* Its stacks stay: they are mapped for good. */
    cpus[cpu_count] = NULL;
    kprintf("smp: CPU with APIC id %u does not answer, left out\n", apic_id);
}

static bool grow_cpus(void)
{
    uint64_t bytes = (uint64_t)MAX(acpi.cpu_count, 1) * sizeof(struct cpu *);
    uint32_t order = 0;
    while ((PAGE_SIZE << order) < bytes)
        order++;
    struct cpu **all = kmem_pages(order);
    if (!all)
        return false;
    all[0] = cpus[0];
    cpus = all;
    return true;
}

void smp_start(uint32_t limit, void (*entry)(void))
{
    cpu_entry = entry;
    trace_start();
    if (!grow_cpus())
        return;
    for (uint32_t i = 0; i < acpi.cpu_count; i++)
        if (acpi.cpu[i].apic_id == cpus[0]->apic_id)
            describe(cpus[0], i);
    if (acpi.cpu_count < 2 || limit < 2)
        return;
    if (!trampoline_pa || trampoline_pa >= MIB || !kmap_foreign(hpa(trampoline_pa))) {
        kprintf("smp: no page below 1 MiB to start CPUs from\n");
        return;
    }
    if (build_tables()) {
        struct trampoline_data *data = fill_trampoline();
        for (uint32_t i = 0; i < acpi.cpu_count && cpu_count < limit; i++)
            if (acpi.cpu[i].enabled && acpi.cpu[i].apic_id != cpus[0]->apic_id)
                start_one(i, data);
    } else {
        kprintf("smp: no memory below 4 GiB for the start-up page tables\n");
    }
    kunmap_foreign(hpa(trampoline_pa));
    free_tables();
    kprintf("smp: %u CPUs\n", cpu_count);
}
