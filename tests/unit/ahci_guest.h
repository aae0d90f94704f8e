/* SPDX-License-Identifier: BSD-2-Clause */
/* A small driver of the guest's AHCI controller, for tests: lays commands into the fake RAM. */
#ifndef TESTS_UNIT_AHCI_GUEST_H
#define TESTS_UNIT_AHCI_GUEST_H

#include "vmm_driver.h"

#define LIST_AT(p)     (0x10000u + (p)*0x400u)
#define RECEIVE_AT(p)  (0x14000u + (p)*0x100u)
#define TABLE_AT(slot) (0x20000u + (slot)*0x1000u)

static uint32_t abar;

static inline uint32_t hba_read(unsigned offset)
{
    return (uint32_t)machine_mmio_read(&vm, abar + offset, 4);
}

static inline void hba_write(unsigned offset, uint32_t value)
{
    machine_mmio_write(&vm, abar + offset, 4, value);
}

static inline uint32_t px_read(unsigned port, unsigned offset)
{
    return hba_read(PORT_BASE + port * PORT_SIZE + offset);
}

static inline void px_write(unsigned port, unsigned offset, uint32_t value)
{
    hba_write(PORT_BASE + port * PORT_SIZE + offset, value);
}

static inline void px_start(unsigned port)
{
    px_write(port, PX_CLB, LIST_AT(port));
    px_write(port, PX_FB, RECEIVE_AT(port));
    px_write(port, PX_SERR, ~0u);
    px_write(port, PX_IS, ~0u);
    px_write(port, PX_IE, ~0u);
    px_write(port, PX_CMD, CMD_FRE);
    px_write(port, PX_CMD, CMD_FRE | CMD_ST);
}

static inline void hba_start(unsigned ports)
{
    cfg_write(MACHINE_SLOT_AHCI, 4, 2, 7);
    abar = cfg_read(MACHINE_SLOT_AHCI, 0x24, 4) & ~0xfu;
    hba_write(HBA_GHC, GHC_AE | GHC_IE);
    for (unsigned i = 0; i < ports; i++)
        px_start(i);
    hba_write(HBA_IS, ~0u);
}

static inline void set_prd(unsigned slot, unsigned i, uint64_t at, uint32_t bytes)
{
    put64(TABLE_AT(slot) + 0x80 + 16 * i, at);
    put64(TABLE_AT(slot) + 0x88 + 16 * i, (uint64_t)(bytes - 1) << 32);
}

/* A command without data; set_prd() and set_prds() add it. */
static inline void lay_command(unsigned port, unsigned slot, uint8_t command, uint64_t lba,
                               uint16_t count, uint16_t features)
{
    uint8_t *fis = fake_ram + TABLE_AT(slot);
    memset(fis, 0, 0x80);
    fis[0] = FIS_REG_H2D;
    fis[1] = FIS_C;
    fis[2] = command;
    fis[3] = (uint8_t)features;
    fis[7] = 0x40;
    fis[11] = (uint8_t)(features >> 8);
    fis[12] = (uint8_t)count;
    fis[13] = (uint8_t)(count >> 8);
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(lba >> 8 * i);
        fis[8 + i] = (uint8_t)(lba >> (24 + 8 * i));
    }
    memset(fake_ram + LIST_AT(port) + 32 * slot, 0, 32);
    put64(LIST_AT(port) + 32 * slot, 5);
    put64(LIST_AT(port) + 32 * slot + 8, TABLE_AT(slot));
}

static inline void set_prds(unsigned port, unsigned slot, unsigned count)
{
    put16(LIST_AT(port) + 32 * slot + 2, count);
}

static inline void lay_data(unsigned port, unsigned slot, uint8_t command, uint64_t lba,
                            uint16_t count, uint32_t at, uint32_t bytes)
{
    lay_command(port, slot, command, lba, count, 0);
    set_prd(slot, 0, at, bytes);
    set_prds(port, slot, 1);
}

static inline void lay_queued(unsigned slot, bool write, uint64_t lba, uint16_t count, uint32_t at)
{
    lay_command(0, slot, write ? 0x61 : 0x60, lba, (uint16_t)(slot << 3), count);
    set_prd(slot, 0, at, count * 512u);
    set_prds(0, slot, 1);
}

static inline void issue_queued(uint32_t slots)
{
    px_write(0, PX_SACT, slots);
    px_write(0, PX_CI, slots);
}

#endif
