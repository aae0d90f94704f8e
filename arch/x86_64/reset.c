/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways to reset a PC that need no tables. Ring 3 has tried ACPI's register before. */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"

#define RESET_CONTROL  0xcf9u /* of Intel's and compatible chip sets */
#define RESET_PREPARE  0x02u
#define RESET_FULL     0x06u
#define KBC_COMMAND    0x64u
#define KBC_PULSE      0xfeu
#define EFFECT_WAIT_US 500000u

static void write_and_wait(uint16_t port, uint8_t value)
{
    outb(port, value);
    tsc_wait_us(EFFECT_WAIT_US);
}

void machine_reset(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) no_idt;

    irq_disable();
    outb(RESET_CONTROL, RESET_PREPARE);
    write_and_wait(RESET_CONTROL, RESET_FULL);
    write_and_wait(KBC_COMMAND, KBC_PULSE);
    /* Without an IDT the next exception is a triple fault, which every machine answers. */
    __asm__ volatile("lidt %0; int3" ::"m"(no_idt));
    __builtin_unreachable();
}
