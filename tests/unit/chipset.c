/* SPDX-License-Identifier: BSD-2-Clause */
/* The small devices, and the machine's wiring. */
#include "test.h"
#include "vmm_machine.h"

TEST(keyboard_controller)
{
    machine_start();
    CHECK_EQ(inb(0x64) & 1, 0);
    outb(0x64, 0xaa);
    CHECK_EQ(inb(0x64) & 1, 1);
    CHECK_EQ(inb(0x60), 0x55);
    CHECK_EQ(inb(0x64) & 1, 0);
    outb(0x64, 0xab);
    CHECK_EQ(inb(0x60), 0);
    outb(0x64, 0xa9);
    CHECK(inb(0x60) != 0); /* no mouse */
    outb(0x64, 0x60), outb(0x60, 0x34);
    outb(0x64, 0x20);
    CHECK_EQ(inb(0x60), 0x34);
    outb(0x60, 0xff);
    CHECK_EQ(inb(0x60), 0xfa);
    CHECK_EQ(inb(0x60), 0xaa);
    outb(0x60, 0xf2);
    CHECK_EQ(inb(0x60), 0xfa);
    CHECK_EQ(inb(0x60), 0xab);
    CHECK_EQ(inb(0x60), 0x83);
    outb(0x64, 0xd3), outb(0x60, 0x5a);
    CHECK(inb(0x60) != 0x5a);
    outb(0x60, 0xed), outb(0x60, 0x07);
    CHECK_EQ(inb(0x60), 0xfa);
    CHECK_EQ(inb(0x60), 0xfa);
    for (unsigned i = 0; i < 100; i++)
        outb(0x60, 0xf2);
    CHECK_EQ(fake.events[MACHINE_RESET], 0);
}

TEST(keyboard_resets)
{
    machine_start();
    outb(0x64, 0xfe);
    CHECK_EQ(fake.events[MACHINE_RESET], 1);
    outb(0x64, 0xff);
    CHECK_EQ(fake.events[MACHINE_RESET], 1);
    outb(0x64, 0xd1), outb(0x60, 0xfe);
    CHECK_EQ(fake.events[MACHINE_RESET], 2);
    outb(0x92, 2);
    CHECK_EQ(fake.events[MACHINE_RESET], 2);
    outb(0x92, 3);
    CHECK_EQ(fake.events[MACHINE_RESET], 3);
    CHECK_EQ(inb(0x92), 3);
}

TEST(power_button_and_s5)
{
    machine_start();
    CHECK_EQ(machine_pio_read(&vm, 0x604, 2), 1); /* ACPI mode */
    machine_power_button(&vm);
    CHECK_EQ(machine_pio_read(&vm, 0x600, 2), 0x100);
    CHECK_EQ(the_devices.ioapic.lines, 0);
    machine_pio_write(&vm, 0x602, 2, 0x100);
    CHECK_EQ(the_devices.ioapic.lines, 1u << 9);
    machine_pio_write(&vm, 0x601, 1, 0x01);
    CHECK_EQ(the_devices.ioapic.lines, 0);
    CHECK_EQ(machine_pio_read(&vm, 0x600, 4), 0x01000000);
    machine_pio_write(&vm, 0x604, 2, 0x2000 | 3 << 10);
    CHECK_EQ(fake.events[MACHINE_POWEROFF], 0);
    machine_pio_write(&vm, 0x604, 2, 0x2001 | 5 << 10);
    CHECK_EQ(fake.events[MACHINE_POWEROFF], 1);
}

TEST(pm_timer)
{
    machine_start();
    uint32_t before = machine_pio_read(&vm, 0x608, 4);
    fake_advance(NS_PER_S);
    CHECK_EQ(machine_pio_read(&vm, 0x608, 4) - before, 3579545);
    machine_pio_write(&vm, 0x608, 4, 0);
    CHECK(machine_pio_read(&vm, 0x608, 4) != 0);
    machine_pio_write(&vm, 0x602, 2, 1);
    fake_advance(600 * NS_PER_S); /* 2^31 clocks are 599.9 s */
    CHECK_EQ(machine_pio_read(&vm, 0x600, 2), 1);
    CHECK_EQ(the_devices.ioapic.lines, 1u << 9);
    machine_pio_write(&vm, 0x600, 2, 1);
    CHECK_EQ(the_devices.ioapic.lines, 0);
    fake_advance(600 * NS_PER_S);
    CHECK_EQ(the_devices.ioapic.lines, 1u << 9);
}

TEST(panic_and_debug_ports)
{
    machine_start();
    CHECK_EQ(inb(0x505), 3);
    outb(0x505, 2);
    CHECK_EQ(fake.events[MACHINE_CRASHLOAD], 1);
    outb(0x505, 1);
    CHECK_EQ(fake.events[MACHINE_PANIC], 1);
    CHECK_EQ(inb(0xe9), 0xe9);
    CHECK_EQ(inb(0x402), 0xe9);
    for (const char *c = "hello\x1b[2J\n"; *c; c++)
        outb(0x402, (unsigned char)*c);
    CHECK_EQ(fake.logs, 1);
    CHECK(!strcmp(fake.log, "debug: hello?[2J"));
    for (unsigned i = 0; i < 1000; i++)
        outb(0xe9, '\n');
    CHECK_EQ(fake.logs, 200);
    for (unsigned i = 0; i < 1000; i++)
        outb(0xe9, 'x');
}

TEST(kvmclock_fills_the_guest_page)
{
    machine_start();
    struct system_time time;
    CHECK(machine_kvmclock_write(&vm, 1, 0x4b564d01, 0x2001));
    memcpy(&time, fake_ram + 0x2000, sizeof time);
    CHECK_EQ(time.version & 1, 0);
    CHECK(time.version != 0);
    CHECK_EQ(time.flags, 1);
    /* What the guest computes, an hour later. */
    uint64_t tsc = fake.ns * 3 + 3ull * 3600 * NS_PER_S, delta = tsc - time.tsc_timestamp;
    delta = time.tsc_shift < 0 ? delta >> -time.tsc_shift : delta << time.tsc_shift;
    uint64_t ns =
        time.system_time + (uint64_t)((unsigned __int128)delta * time.tsc_to_system_mul >> 32);
    uint64_t expected = fake.ns + 3600 * NS_PER_S;
    CHECK(ns + 2000 > expected && ns < expected + 2000);
    CHECK(machine_kvmclock_write(&vm, 0, 0x11, 0x3000));
    uint32_t wall[3];
    memcpy(wall, fake_ram + 0x3000, sizeof wall);
    CHECK_EQ(wall[1] * NS_PER_S + wall[2] + fake.ns, 1700000000ull * NS_PER_S);
    uint64_t value;
    CHECK(machine_kvmclock_read(&vm, 1, 0x12, &value));
    CHECK_EQ(value, 0x2001);
    CHECK(!machine_kvmclock_write(&vm, 0, 0x12, 0xffffffff00000001));
    CHECK(!machine_kvmclock_write(&vm, 0, 0x12, FAKE_RAM - 4 + 1));
    CHECK(!machine_kvmclock_write(&vm, 64, 0x12, 0x2001));
    CHECK(!machine_kvmclock_write(&vm, 0, 0x13, 0x2001));
    machine_kvmclock_stopped(&vm);
    memcpy(&time, fake_ram + 0x2000, sizeof time);
    CHECK_EQ(time.flags, 3);
    CHECK(machine_kvmclock_write(&vm, 1, 0x12, 0));
}

/* A host of 3 GHz shows 1 GHz: the clock is told in the guest's ticks. */
TEST(kvmclock_of_a_scaled_tsc)
{
    struct kvmclock clock;
    machine_start();
    vm.guest_tsc_khz = 1000000;
    vm.tsc_scale = tsc_ratio(1000000, 3000000);
    vm.tsc_offset = 77;
    uint64_t host = vm.host->clock_tsc(vm.host_ctx);
    kvmclock_init(&clock, &vm);
    CHECK_EQ(clock.tsc_ref, tsc_scaled(host, vm.tsc_scale) + 77);
    CHECK(clock.tsc_ref <= host / 3 + 77 && clock.tsc_ref + 1 >= host / 3 + 77);
    uint64_t second = 1000000000;
    second = clock.shift < 0 ? second >> -clock.shift : second << clock.shift;
    uint64_t ns = (uint64_t)((unsigned __int128)second * clock.multiplier >> 32);
    CHECK(ns > NS_PER_S - 5 && ns < NS_PER_S + 5);
    vm.tsc_scale = vm.tsc_offset = 0;
    vm.guest_tsc_khz = vm.tsc_khz;
}

TEST(kvmclock_scale_for_all_frequencies)
{
    for (uint64_t khz = 100000; khz < 9000000; khz = khz * 11 / 10 + 1) {
        struct kvmclock clock = {0};
        set_scale(&clock, khz);
        uint64_t ticks = khz * 1000;
        ticks = clock.shift < 0 ? ticks >> -clock.shift : ticks << clock.shift;
        uint64_t ns = (uint64_t)((unsigned __int128)ticks * clock.multiplier >> 32);
        CHECK(ns > NS_PER_S - 5 && ns < NS_PER_S + 5);
    }
}

TEST(wiring)
{
    machine_start();
    /* PIT: IRQ 0 of the 8259, input 2 of the I/O APIC. */
    irq_set(&vm, 0, true);
    CHECK_EQ(the_devices.ioapic.lines, 4);
    CHECK_EQ(the_devices.pic.chip[0].lines, 1);
    irq_set(&vm, 9, true);
    CHECK_EQ(the_devices.pic.chip[1].elcr, 0x0e); /* 9, 10, 11 are level-triggered */
    CHECK_EQ(the_devices.ioapic.lines, 4 | 1u << 9);
    outb(0x70, 0x34);
    CHECK_EQ(inb(0x71), 0);
    outb(0x70, 0x17);
    CHECK_EQ(inb(0x71), 0x00); /* 1 MiB above the first: 1024 KiB */
    outb(0x70, 0x18);
    CHECK_EQ(inb(0x71), 0x04);
    outb(0x70, 0x5f);
    CHECK_EQ(inb(0x71), 1);
}

TEST(every_port_with_garbage)
{
    machine_start();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned port = 0; port < 0x10000; port++) {
            machine_pio_write(&vm, (uint16_t)port, 1u << round, 0xa5a5a5a5u * (port + round));
            machine_pio_read(&vm, (uint16_t)port, 1u << round);
        }
    }
    fake_advance(NS_PER_S);
}
