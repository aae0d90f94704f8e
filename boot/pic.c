/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/insn.h"
#include "boot/program.h"

/* 8259A. */
#define PIC_MASTER      0x20u
#define PIC_SLAVE       0xa0u
#define PIC_ICW1        0x11u /* cascade, ICW4 follows */
#define PIC_VECTOR_BASE 0x20u
#define PIC_8086        0x01u

/* Vectors that no device uses, then everything masked: a spurious IRQ 7 or 15 stays harmless. */
void pic_off(void)
{
    /* ICW1, vectors, wiring of the two, ICW4, mask. */
    static const uint8_t master[] = {PIC_VECTOR_BASE, 1u << 2, PIC_8086, 0xff};
    static const uint8_t slave[] = {PIC_VECTOR_BASE + 8, 2, PIC_8086, 0xff};

    outb(PIC_MASTER, PIC_ICW1);
    outb(PIC_SLAVE, PIC_ICW1);
    for (uint32_t i = 0; i < ARRAY_LEN(master); i++) {
        outb(PIC_MASTER + 1, master[i]);
        outb(PIC_SLAVE + 1, slave[i]);
    }
}
