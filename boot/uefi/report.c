/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/uefi/report.h"

#define COM1        0x3f8u
#define COM1_LSR    (COM1 + 5u)
#define LSR_THRE    0x20u
#define TX_PATIENCE 100000 /* polls: without a UART the wait must end */

static EFI_SYSTEM_TABLE *system_table;

static inline void out8(UINT16 port, UINT8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline UINT8 in8(UINT16 port)
{
    UINT8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void report_start(EFI_SYSTEM_TABLE *table)
{
    /* Register offset and value: 115200 baud, 8N1, FIFO on, DTR and RTS. */
    static const UINT8 setup[][2] = {{1, 0}, {3, 0x80}, {0, 1}, {1, 0}, {3, 3}, {2, 7}, {4, 3}};
    system_table = table;
    for (unsigned i = 0; i < sizeof(setup) / sizeof(setup[0]); i++)
        out8((UINT16)(COM1 + setup[i][0]), setup[i][1]);
}

static void serial(char c)
{
    for (int i = 0; i < TX_PATIENCE && !(in8(COM1_LSR) & LSR_THRE); i++)
        __asm__ volatile("pause");
    out8(COM1, (UINT8)c);
}

void report(const char *text)
{
    for (; *text; text++) {
        CHAR16 wide[3] = {(CHAR16)*text, 0, 0};
        if (*text == '\n') {
            wide[0] = '\r';
            wide[1] = '\n';
            serial('\r');
        }
        serial(*text);
        if (system_table->ConOut)
            system_table->ConOut->OutputString(system_table->ConOut, wide);
    }
}

void report_number(UINT64 value, unsigned base)
{
    char digits[21];
    unsigned at = sizeof(digits) - 1;
    digits[at] = 0;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    report(digits + at);
}

EFI_STATUS report_failure(const char *what, const char *name, EFI_STATUS status)
{
    report("Mullion cannot start: ");
    report(what);
    if (name) {
        report(": ");
        report(name);
    }
    if (status) {
        report(" (EFI status ");
        report_number(status & ~(1ull << 63), 10);
        report(")");
    }
    report("\n");
    return status ? status : EFI_LOAD_ERROR;
}
