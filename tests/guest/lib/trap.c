/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt descriptor table, faults as values, the boot CPU's TSS. */
#include "guest.h"

struct gate {
    uint16_t offset_low, selector, attributes, offset_middle;
    uint32_t offset_high, reserved;
};
struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct gate idt[256];
static trap_handler handlers[256];
volatile struct fault fault;
volatile uint64_t fault_resume;
volatile uint32_t irq_count[256];
struct tss boot_tss;

void trap_gate(unsigned vector, unsigned dpl, unsigned ist)
{
    uint64_t entry = (uint64_t)isr_entries + 16 * (uint64_t)vector;
    idt[vector] = (struct gate){.offset_low = (uint16_t)entry,
                                .selector = SEL_CODE64,
                                .attributes = (uint16_t)(0x8e00u | dpl << 13 | ist),
                                .offset_middle = (uint16_t)(entry >> 16),
                                .offset_high = (uint32_t)(entry >> 32)};
}

void trap_load(void)
{
    struct table_pointer pointer = {sizeof idt - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void trap_init(void)
{
    for (unsigned v = 0; v < 256; v++)
        trap_gate(v, 0, 0);
    trap_load();
    uint64_t base = (uint64_t)&boot_tss;
    uint64_t *entry = &gdt[SEL_TSS / 8];
    boot_tss.io_map = sizeof boot_tss;
    entry[0] =
        (sizeof boot_tss - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    entry[1] = base >> 32;
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
}

void trap_set(unsigned vector, trap_handler handler)
{
    handlers[vector] = handler;
}

static void unexpected(struct trap_frame *f)
{
    say("not ok exception: vector %lu error 0x%lx rip 0x%lx cr2 0x%lx rflags 0x%lx rsp 0x%lx\n",
        f->vector, f->error, f->rip, read_cr2(), f->rflags, f->rsp);
    check("no unexpected exception", false);
    finish();
}

void isr_dispatch(struct trap_frame *f)
{
    trap_handler handler = handlers[f->vector & 0xff];
    if (handler) {
        handler(f);
        return;
    }
    if (!fault_resume || f->vector > 31)
        unexpected(f);
    fault.error = f->error;
    fault.rip = f->rip;
    fault.cr2 = read_cr2();
    fault.dr6 = read_dr6();
    fault.vector = (int)f->vector;
    f->rip = fault_resume;
    f->rflags &= ~0x100ull; /* single step ends here */
    fault_resume = 0;
}

void irq_counted(struct trap_frame *f)
{
    irq_count[f->vector & 0xff]++;
    apic_eoi();
}

bool irq_wait(unsigned vector, uint32_t count, uint32_t us)
{
    uint64_t limit = (uint64_t)us * 358 / 100, passed = 0;
    uint32_t last = pm_ticks();
    while (irq_count[vector] < count && passed < limit) {
        __asm__ volatile("sti; nop; pause; cli" : : : "memory");
        uint32_t now = pm_ticks();
        passed += (now - last) & 0xffffffu;
        last = now;
    }
    return irq_count[vector] >= count;
}
