/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile guest in front of its AHCI controller, and behind the disk a hostile driver process.
 * Two bytes of header (backing and kind, limits), then records of eight bytes: place (2), what (2),
 * value (4). */
#include "tests/unit/ahci_guest.h"
#include "tests/fuzz/hostile_disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(const uint8_t *data)
{
    struct vmm_disk disk = {
        .backing = data[0] & 1u, .bus = VMM_BUS_SATA, .discard = 1, .target = "sda"};
    disk.cdrom = data[0] >> 1 & 1u;
    disk.cache = data[0] >> 2 & 1u;
    disk.limit[data[1] % VMM_LIMITS] = data[1];
    struct blk_geometry geometry = {
        .sectors = 1000, .block_size = data[0] & 0x80u ? 4096 : 512, .flags = data[1]};
    config.disk_count = 2;
    disk_set_up(disk, geometry, !disk.cdrom);
    config.disk[1] = (struct vmm_disk){
        .backing = VMM_DISK_IMAGE, .bus = VMM_BUS_SATA, .read_only = 1, .target = "sdb"};
    config.disk[1].image.size = IMAGE;
    disk_source[1] = (struct disk_source){.memory = image};
}

static void peer(unsigned place, uint32_t value)
{
    if (config.disk[0].backing == VMM_DISK_IMAGE)
        return;
    if (place & 0x8000u) {
        hostile_geometry(place, value);
        channel.generation++;
    } else {
        hostile_end(place, value);
    }
    machine_disk_event(&vm);
}

/* A command that is likely to be one. */
static void command(unsigned port, unsigned place, uint8_t code, uint32_t value)
{
    unsigned slot = place % AHCI_SLOTS;
    uint16_t count = (uint16_t)(value & 0x3fu);
    lay_command(port, slot, code, value >> 16, count, count);
    set_prd(slot, 0, DATA_AT + (value & 0xfffu), 512 * (count + 1u));
    set_prd(slot, 1, DATA_AT + (value & 0xffff0u), 1u + (place & 0x3ffu));
    set_prds(port, slot, 1 + (place >> 8 & 1u));
    memcpy(fake_ram + TABLE_AT(slot) + 0x40, &value, 4);
    px_write(port, PX_SACT, 1u << slot);
    px_write(port, PX_CI, 1u << slot);
}

static void step(const uint8_t *s)
{
    unsigned place = s[0] | (unsigned)s[1] << 8, port = s[2] & 1u;
    uint32_t value;
    memcpy(&value, s + 4, 4);
    switch (s[2] >> 1 & 7u) {
    case 0:
        memcpy(fake_ram + LIST_AT(0) + place % 0x800, &value, 4);
        break;
    case 1:
        memcpy(fake_ram + TABLE_AT(0) + place % 0x8000, &value, 4);
        break;
    case 2:
        machine_mmio_write(&vm, abar + place % 0x200, 1u << s[3] % 4, value);
        break;
    case 3:
        px_write(port, place % 0x44 & ~3u, value);
        break;
    case 4:
        peer(place, value);
        break;
    case 5:
        fake_advance(value % NS_PER_S);
        break;
    case 6:
        px_write(port, PX_CMD, CMD_FRE);
        px_write(port, PX_SERR, ~0u);
        px_start(port);
        break;
    default:
        command(port, place, s[3], value);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    set_up(data);
    machine_start();
    hba_start(2);
    for (size_t at = 2; at + 8 <= size && at < 8 * 512; at += 8)
        step(data + at);
    return 0;
}
