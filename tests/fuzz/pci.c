/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration space of every device, through both mechanisms: BARs move, the virtio window opens,
 * MSI-X is switched. Each step is eight bytes: slot, size and way, offset (2), value (4). */
#include "../unit/vmm_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step(const uint8_t *s)
{
    static const uint8_t slots[] = {0, 1, 2, 3, 31, 7};
    unsigned slot = slots[s[0] % 6], size = 1u << (s[1] % 3), offset = s[2] | (s[3] & 15u) << 8;
    uint32_t value = s[4] | (uint32_t)s[5] << 8 | (uint32_t)s[6] << 16 | (uint32_t)s[7] << 24;
    uint64_t ecam = GUEST_ECAM + (slot << 15) + offset;
    switch (s[1] >> 2 & 7u) {
    case 0:
    case 1:
        cfg_write(slot, offset & 0xffu, size, value);
        break;
    case 2:
        cfg_read(slot, offset & 0xffu, size);
        break;
    case 3:
    case 4:
        machine_mmio_write(&vm, ecam, size, value);
        break;
    case 5:
        machine_mmio_read(&vm, ecam, size);
        break;
    case 6: /* wherever the BARs are now */
        machine_mmio_write(&vm, cfg_read(slot, 0x10 + 4 * (s[3] >> 4 & 3u), 4) + offset, size,
                           value);
        break;
    default:
        machine_pio_write(&vm, (uint16_t)(cfg_read(slot, 0x10, 4) + (offset & 31u)), size, value);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    machine_start();
    for (size_t at = 0; at + 8 <= size && at < 8 * 512; at += 8)
        step(data + at);
    return 0;
}
