/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/bootinfo.h"

#define COM1          0x3f8u
#define COM1_LSR      (COM1 + 5u)
#define LSR_THRE      0x20u
#define VGA_TEXT      0xb8000ull
#define VGA_CELLS     (80u * 25u)
#define VGA_ATTRIBUTE 0x0f00u
#define TX_PATIENCE   100000 /* polls: without a UART the wait must end */

static uint32_t vga_next;

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void print(const char *text)
{
    volatile uint16_t *vga = (volatile uint16_t *)VGA_TEXT;
    for (; *text; text++) {
        for (int i = 0; i < TX_PATIENCE && !(in8(COM1_LSR) & LSR_THRE); i++)
            __asm__ volatile("pause");
        out8(COM1, (uint8_t)*text);
        if (*text >= ' ' && vga_next < VGA_CELLS)
            vga[vga_next++] = (uint16_t)(VGA_ATTRIBUTE | (uint8_t)*text);
    }
}

_Noreturn void boot_fatal(const char *text)
{
    /* Register offset and value: 115200 baud, 8N1, FIFO on, DTR and RTS. */
    static const uint8_t setup[][2] = {{1, 0}, {3, 0x80}, {0, 1}, {1, 0}, {3, 3}, {2, 7}, {4, 3}};
    for (unsigned i = 0; i < sizeof(setup) / sizeof(setup[0]); i++)
        out8((uint16_t)(COM1 + setup[i][0]), setup[i][1]);
    print("Mullion cannot start: ");
    print(text);
    print("\r\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}
