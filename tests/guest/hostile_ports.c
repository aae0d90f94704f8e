/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes every port with garbage, in each width. Left out is only what ends the run by
 * design: reset and power-off registers, and the serial line that carries the verdict. */
#include "lib/guest.h"

static bool ends_the_run(uint32_t port)
{
    if (port >= 0x3f8 - 3 && port <= 0x3ff)
        return true; /* serial line */
    if (port >= 0xcf8 - 3 && port <= 0xcff)
        return true; /* reset control; configuration space has a test of its own */
    if (port == 0x64 || port == 0x92 || (port >= 0x61 && port < 0x64) ||
        (port >= 0x8f && port < 0x92))
        return true; /* keyboard controller and port 92h reset */
    if (port >= 0x502 && port <= 0x505)
        return true; /* pvpanic */
    return port + 3 >= acpi.pm1a_control && port <= (uint32_t)acpi.pm1a_control + 1u;
}

static uint32_t garbage = 0x9e3779b9u;

static uint32_t next(void)
{
    garbage ^= garbage << 13;
    garbage ^= garbage >> 17;
    garbage ^= garbage << 5;
    return garbage;
}

static void pass(unsigned width, bool write)
{
    for (uint32_t port = 0; port < 0x10000; port++) {
        if (ends_the_run(port))
            continue;
        uint16_t p = (uint16_t)port;
        if (width == 1)
            write ? outb(p, (uint8_t)next()) : (void)inb(p);
        else if (width == 2)
            write ? outw(p, (uint16_t)next()) : (void)inw(p);
        else
            write ? outl(p, next()) : (void)inl(p);
    }
}

static void quiet(struct trap_frame *f)
{
    (void)f;
}

void guest_main(void)
{
    for (unsigned v = 0x20; v < 0x100; v++)
        trap_set(v, quiet);
    pass(1, false);
    pass(2, false);
    pass(4, false);
    serial_init();
    check("hostile_ports.read_all", true);
    pass(1, true);
    serial_init();
    check("hostile_ports.write_bytes", true);
    pass(2, true);
    serial_init();
    check("hostile_ports.write_words", true);
    pass(4, true);
    serial_init();
    check("hostile_ports.write_dwords", true);
    static uint8_t bytes[512];
    const void *from = bytes;
    for (uint32_t port = 0; port < 0x10000; port += 7) {
        uint64_t count = 3;
        from = bytes;
        if (!ends_the_run(port))
            __asm__ volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(port) : "memory");
    }
    serial_init();
    check("hostile_ports.string_writes", true);
}
