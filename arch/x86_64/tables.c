/* SPDX-License-Identifier: BSD-2-Clause */
/* GDT, TSS and IDT. One GDT and TSS a CPU; one IDT for all. */
#include "arch/x86_64/cpublock.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/platform.h"

extern const uint64_t idt_entry[256]; /* entry.S */
extern char syscall_entry[];          /* entry.S */

/* Segment descriptors, accessed bit set so that the CPU never writes the table. */
#define DESC_KCODE 0x00af9b000000ffffull
#define DESC_KDATA 0x00cf93000000ffffull
#define DESC_UDATA 0x00cff3000000ffffull
#define DESC_UCODE 0x00affb000000ffffull

#define TSS_AVAILABLE 0x89ull
#define GATE_INTR     0x8eu /* present, DPL 0, 64-bit interrupt gate */
#define GATE_DPL3     0x60u

#define VEC_NMI 2u
#define VEC_DB  1u
#define VEC_BP  3u
#define VEC_DF  8u
#define VEC_MC  18u

/* What SYSCALL clears: IF, TF, DF, AC, NT, RF, IOPL and the arithmetic flags. */
#define SYSCALL_FMASK 0x00257fd5ull

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "IDT descriptor of 64-bit mode");

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct gate idt[256] __attribute__((aligned(16)));

/* Before smp_start there is one CPU, and it is here. */
static struct cpu *boot_cpu[1];
struct cpu **cpus = boot_cpu;
uint32_t cpu_count = 1;

static const uint8_t gate_ist[256] = {
    [VEC_NMI] = IST_NMI, [VEC_DF] = IST_DF, [VEC_MC] = IST_MC, [VEC_DB] = IST_DB};

static void idt_build(void)
{
    for (uint32_t v = 0; v < 256; v++) {
        uint64_t entry = idt_entry[v];
        idt[v] = (struct gate){
            .offset_low = (uint16_t)entry,
            .selector = SEL_KCODE,
            .ist = gate_ist[v],
            .type = (uint8_t)(GATE_INTR | (v == VEC_BP ? GATE_DPL3 : 0)),
            .offset_mid = (uint16_t)(entry >> 16),
            .offset_high = (uint32_t)(entry >> 32),
        };
    }
}

static void gdt_build(struct cpu_block *block)
{
    uint64_t base = (uint64_t)&block->tss;
    uint64_t limit = sizeof(struct tss) + sizeof(block->iopm) - 1;

    block->gdt[SEL_KCODE >> 3] = DESC_KCODE;
    block->gdt[SEL_KDATA >> 3] = DESC_KDATA;
    block->gdt[SEL_UDATA >> 3] = DESC_UDATA;
    block->gdt[SEL_UCODE >> 3] = DESC_UCODE;
    block->gdt[SEL_TSS >> 3] = (limit & 0xffff) | (base & 0xffffff) << 16 | TSS_AVAILABLE << 40 |
                               (limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
    block->gdt[(SEL_TSS >> 3) + 1] = base >> 32;
}

struct cpu *cpu_create(uint32_t id, uint32_t apic_id)
{
    struct cpu_block *block = kmem_pages(CPU_BLOCK_ORDER);
    if (!block)
        return NULL;
    struct cpu *cpu = &block->cpu;
    cpu->id = id;
    cpu->apic_id = apic_id;
    cpu->info.apic_id = apic_id;
    cpu->tss = &block->tss;
    cpu->gdt = block->gdt;
    cpu->kernel_stack = kstack_create(cpu);
    if (!cpu->kernel_stack)
        return NULL;
    for (uint32_t i = 0; i < IST_COUNT; i++) {
        block->tss.ist[i] = kstack_create(cpu);
        if (!block->tss.ist[i])
            return NULL;
    }
    /* Beyond the limit: no ports. A domain with ports moves it to the bitmap. */
    block->tss.iomap_base = (uint16_t)(sizeof(struct tss) + sizeof(block->iopm));
    for (size_t i = 0; i < sizeof(block->iopm); i++)
        block->iopm[i] = 0xff;
    gdt_build(block);
    if (id == 0)
        boot_cpu[0] = cpu;
    return cpu;
}

static void load_gdt(const struct cpu *cpu)
{
    struct table_pointer gdtr = {GDT_ENTRIES * 8 - 1, (uint64_t)cpu->gdt};
    uint64_t scratch;

    __asm__ volatile("lgdt %1\n\t"
                     "push %2\n\t"
                     "lea 1f(%%rip), %0\n\t"
                     "push %0\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %3, %%ss\n\t"
                     "mov %3, %%ds\n\t"
                     "mov %3, %%es\n\t"
                     "mov %4, %%fs\n\t"
                     "mov %4, %%gs"
                     : "=&r"(scratch)
                     : "m"(gdtr), "i"(SEL_KCODE), "r"(SEL_KDATA), "r"(0)
                     : "memory");
}

void cpu_load_tables(struct cpu *cpu)
{
    if (cpu->id == 0)
        idt_build();
    load_gdt(cpu);
    /* LTR wants an available TSS and marks it busy. */
    cpu->gdt[SEL_TSS >> 3] &= ~(2ull << 40);
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS) : "memory");
    __asm__ volatile("lldt %w0" ::"r"(0));
    struct table_pointer idtr = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" ::"m"(idtr));
    wrmsr(IA32_FS_BASE, 0);
    wrmsr(IA32_GS_BASE, (uint64_t)cpu);
    wrmsr(IA32_KERNEL_GS_BASE, 0);
    /* SYSRET takes SS from bits 63:48 plus 8 and CS from there plus 16. */
    wrmsr(IA32_STAR, (uint64_t)(SEL_UDATA - 8) << 48 | (uint64_t)SEL_KCODE << 32);
    wrmsr(IA32_LSTAR, (uint64_t)syscall_entry);
    wrmsr(IA32_FMASK, SYSCALL_FMASK);
    /* No 32-bit code segment exists, so CSTAR is never used; selector 0 makes SYSENTER #GP. */
    wrmsr(IA32_SYSENTER_CS, 0);
    wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SCE);
    /* 0 is what a guest has that never set it; it is not switched then (virt/lazy.c). */
    if (features.rdtscp)
        wrmsr(IA32_TSC_AUX, 0);
}
