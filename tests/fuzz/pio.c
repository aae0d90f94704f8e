/* SPDX-License-Identifier: BSD-2-Clause */
/* Port and memory-mapped accesses, timers, doorbells and outside events over the whole machine.
 * Each step is eight bytes: what, size, address (2), value (4). */
#include "../unit/vmm_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t mmio_address(unsigned what, unsigned address)
{
    static const uint64_t base[] = {GUEST_IOAPIC, GUEST_ECAM, GUEST_ECAM + (1u << 15),
                                    GUEST_PCI_MMIO, GUEST_PCI_MMIO + 0x10000};
    return base[what % 5] + address;
}

static void step(const uint8_t *s)
{
    unsigned access = 1u << (s[1] % 4), address = s[2] | (unsigned)s[3] << 8;
    uint32_t value = s[4] | (uint32_t)s[5] << 8 | (uint32_t)s[6] << 16 | (uint32_t)s[7] << 24;
    switch (s[0] % 8) {
    case 0:
        machine_pio_read(&vm, (uint16_t)address, access > 4 ? 4 : access);
        break;
    case 1:
    case 2:
        machine_pio_write(&vm, (uint16_t)address, access > 4 ? 4 : access, value);
        break;
    case 3:
        machine_mmio_read(&vm, mmio_address(s[1] >> 2, address), access);
        break;
    case 4:
        machine_mmio_write(&vm, mmio_address(s[1] >> 2, address), access,
                           (uint64_t)value << 32 | value);
        break;
    case 5: /* bounded, or periodic timers make a run endless */
        fake_advance(value % 10000000);
        break;
    case 6:
        machine_doorbell(&vm, address);
        machine_eoi(&vm, s[1]);
        machine_kvmclock_write(&vm, s[1], value & 1 ? 0x4b564d01 : 0x11, address);
        break;
    default:
        fake_type("typed");
        fake_ring.room = s[1];
        machine_serial_event(&vm);
        machine_hvc_event(&vm);
        machine_pic_ack(&vm);
        machine_power_button(&vm);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    machine_start();
    for (size_t at = 0; at + 8 <= size && at < 8 * 1024; at += 8)
        step(data + at);
    return 0;
}
