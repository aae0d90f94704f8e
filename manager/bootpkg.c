/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/bootpkg.h"

#include <stdio.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

static struct package package;
static uint32_t package_slot;

static uint64_t round_up(uint64_t value)
{
    return (value + PACKAGE_ALIGN - 1) & ~(uint64_t)(PACKAGE_ALIGN - 1);
}

/* The kernel has said how large the package is, and hands over whole pages. */
static const char *map_package(const struct root_info *info)
{
    static char why[96];
    for (uint32_t i = 0; i < info->mem_count; i++) {
        const struct root_mem *mem = &info->mem[i];
        if (mem->kind != ROOT_MEM_PACKAGE)
            continue;
        if (mem->size < info->package_size)
            return "the boot package is cut: its memory is smaller than the package";
        package_slot = SLOT_ROOT_MEM + i;
        int64_t status = sys_mem_map(SLOT_SELF_PD, package_slot, MANAGER_PACKAGE_VA, 0,
                                     round_up(info->package_size), MAP_READ);
        if (status == OK)
            return NULL;
        snprintf(why, sizeof(why), "the boot package cannot be mapped: status %lld",
                 (long long)status);
        return why;
    }
    return "there is no boot package";
}

const char *bootpkg_open(const struct root_info *info)
{
    const char *why = map_package(info);
    if (why)
        return why;
    if (package_open(&package, (const void *)MANAGER_PACKAGE_VA, info->package_size))
        return package.error;
    for (uint32_t i = 0; i < package.count; i++) {
        const struct package_file *file = &package.file[i];
        if (package_verify(&package, file, package_data(&package, file)))
            return package.error;
    }
    return NULL;
}

const struct package_file *bootpkg_find(const char *name)
{
    return package_find(&package, name);
}

const struct package_file *bootpkg_at(uint32_t i)
{
    return i < package.count ? &package.file[i] : NULL;
}

const void *bootpkg_data(const struct package_file *file)
{
    return package_data(&package, file);
}

uint32_t bootpkg_derive(const struct package_file *file, uint64_t offset, uint64_t size,
                        uint32_t rights)
{
    uint32_t slot = slot_alloc();
    if (!slot)
        return 0;
    if (sys_mem_derive(slot, package_slot, file->offset + offset, round_up(size), rights) != OK) {
        slot_free(slot);
        return 0;
    }
    return slot;
}

void bootpkg_release(uint32_t slot)
{
    if (!slot)
        return;
    sys_cap_revoke(slot);
    slot_free(slot);
}
