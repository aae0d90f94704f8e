/* SPDX-License-Identifier: BSD-2-Clause */
/* The manager's world for tests of how it starts, watches and restarts programs: faked system
 * calls, PCI devices, and a faked spawner. */
#ifndef TESTS_UNIT_FAKE_DRIVER_LIFE_H
#define TESTS_UNIT_FAKE_DRIVER_LIFE_H

#include "tests/unit/test.h"
#include "tests/unit/fake/time.h"
#include <stdarg.h>
#include <stdint.h>
#define USER_SYSCALL_STUBS_H

static uint64_t sent_bits[4096];
static uint32_t next_slot = 200;
static struct {
    uint64_t address, size;
} reachable[8];
static uint32_t reachable_count;

static int64_t sys_notif_create(uint32_t slot)
{
    (void)slot;
    return 0;
}
static int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    sent_bits[notif] |= bits;
    return 0;
}
static int64_t sys_cap_copy(uint32_t pd, uint32_t dst, uint32_t src, uint32_t rights,
                            uint64_t badge)
{
    (void)pd, (void)dst, (void)src, (void)rights, (void)badge;
    return 0;
}
static int64_t sys_cap_revoke(uint32_t src)
{
    (void)src;
    return 0;
}
static int64_t sys_mem_map(uint32_t space, uint32_t mem, uint64_t address, uint64_t offset,
                           uint64_t size, uint32_t flags)
{
    (void)mem, (void)offset, (void)flags;
    if (space == 1) /* the manager's own */
        return 0;
    reachable[reachable_count].address = address;
    reachable[reachable_count++].size = size;
    return 0;
}
static int64_t sys_mem_derive(uint32_t dst, uint32_t src, uint64_t offset, uint64_t size,
                              uint32_t rights)
{
    (void)dst, (void)src, (void)offset, (void)size, (void)rights;
    return 0;
}

#include "tests/unit/fake/program.h"
uint32_t slot_alloc(void)
{
    return next_slot++ % 4000 + 64;
}
void slot_free(uint32_t slot)
{
    (void)slot;
}

#include "manager/bootpkg.h"
static struct package_file driver_file;
static bool has_driver;
static const char *driver_name;
const struct package_file *bootpkg_find(const char *name)
{
    return has_driver && !strcmp(name, driver_name) ? &driver_file : NULL;
}

#include "manager/window.h"
static uint8_t window_bytes[1 << 18];
void *window_open(const struct mem_block *block)
{
    return block->size <= sizeof(window_bytes) ? window_bytes : NULL;
}
void window_close(const struct mem_block *block)
{
    (void)block;
}
int64_t window_zero(const struct mem_block *block)
{
    (void)block;
    return 0;
}

#include "manager/storage/ahci.h"
static struct pci_device devices[2];
static uint32_t device_count;
static bool mastering;
uint32_t hostpci_count(void)
{
    return device_count;
}
const struct pci_device *hostpci_at(uint32_t index)
{
    return &devices[index];
}
uint32_t hostpci_memory(uint64_t base, uint64_t size)
{
    return base == 0xfebd1800 && size == 0x1000 ? 77 : 0;
}
const char *hostpci_take_irq(const struct pci_device *device, struct hostpci_irq *irq)
{
    (void)device;
    *irq = (struct hostpci_irq){.slot = 78, .is_message = true};
    return NULL;
}
void hostpci_enable_irq(const struct pci_device *device, const struct hostpci_irq *irq)
{
    (void)device, (void)irq;
}
void hostpci_master(const struct pci_device *device, bool on)
{
    (void)device;
    mastering = on;
}

static int spawned, ended;
static const char *spawn_why;
static uint8_t last_config[4096];
static bool ended_while_mastering;
const char *spawn_program(struct program *program, const struct spawn_request *request)
{
    if (spawn_why)
        return spawn_why;
    memcpy(last_config, request->data, request->data_size);
    program->alive = true;
    spawned++;
    return NULL;
}
void program_end(struct program *program)
{
    ended_while_mastering |= mastering;
    ended += program->alive;
    program->alive = false;
}
static const char *enough(uint64_t quota)
{
    return quota ? NULL : "none";
}

#endif
