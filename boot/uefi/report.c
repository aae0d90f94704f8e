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

static void serial_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            serial('\r');
        serial(*text);
    }
}

void report(const char *text)
{
    CHAR16 wide[128];
    while (*text && system_table->ConOut) {
        UINTN n = 0;
        for (; *text && n + 2 < sizeof(wide) / sizeof(wide[0]); text++) {
            if (*text == '\n')
                wide[n++] = '\r';
            wide[n++] = (CHAR16)*text;
        }
        wide[n] = 0;
        system_table->ConOut->OutputString(system_table->ConOut, wide);
    }
}

static UINTN append(char *line, UINTN at, UINTN room, const char *text)
{
    while (*text && at + 1 < room)
        line[at++] = *text++;
    line[at] = 0;
    return at;
}

static UINTN append_number(char *line, UINTN at, UINTN room, UINT64 value)
{
    char digits[21];
    unsigned i = sizeof(digits) - 1;
    digits[i] = 0;
    do {
        digits[--i] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return append(line, at, room, digits + i);
}

EFI_STATUS report_failure(const char *what, const char *name, EFI_STATUS status)
{
    char line[256];
    UINTN at = append(line, 0, sizeof(line), "Mullion cannot start: ");
    at = append(line, at, sizeof(line), what);
    if (name) {
        at = append(line, at, sizeof(line), ": ");
        at = append(line, at, sizeof(line), name);
    }
    if (status) {
        at = append(line, at, sizeof(line), " (EFI status ");
        at = append_number(line, at, sizeof(line), status & ~(1ull << 63));
        at = append(line, at, sizeof(line), ")");
    }
    append(line, at, sizeof(line), "\n");
    report(line);
    serial_text(line);
    return status ? status : EFI_LOAD_ERROR;
}
