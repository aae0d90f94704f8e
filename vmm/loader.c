/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool loader_refuse(struct loader *loader, const char *format, ...)
{
    va_list args;
    int used = snprintf(loader->error, sizeof(loader->error), "%.100s: ", loader->kernel.name);
    if (used < 0)
        used = 0;
    va_start(args, format);
    vsnprintf(loader->error + used, sizeof(loader->error) - (size_t)used, format, args);
    va_end(args);
    return false;
}

uint16_t loader_u16(const struct loader_image *image, uint64_t offset)
{
    uint16_t value;
    memcpy(&value, image->bytes + offset, sizeof(value));
    return value;
}

uint32_t loader_u32(const struct loader_image *image, uint64_t offset)
{
    uint32_t value;
    memcpy(&value, image->bytes + offset, sizeof(value));
    return value;
}

uint64_t loader_u64(const struct loader_image *image, uint64_t offset)
{
    uint64_t value;
    memcpy(&value, image->bytes + offset, sizeof(value));
    return value;
}

static bool overlaps(uint64_t gpa, uint64_t size, uint64_t first, uint64_t end)
{
    return gpa < end && gpa + size > first;
}

bool loader_place(struct loader *loader, const char *what, uint64_t gpa, uint64_t offset,
                  uint64_t file_size, uint64_t memory_size)
{
    unsigned long long from = gpa, bytes = memory_size;
    if (!loader_has(&loader->kernel, offset, file_size))
        return loader_refuse(loader,
                             "%s lies beyond the end of the file (%llu bytes at offset %llu)", what,
                             (unsigned long long)file_size, (unsigned long long)offset);
    if (memory_size < file_size)
        return loader_refuse(loader, "%s is larger in the file than in memory", what);
    if (memory_size == 0)
        return true;
    uint8_t *to = guest_mem_writable(loader->mem, gpa, memory_size);
    if (!to)
        return loader_refuse(loader, "%s does not fit: %llu bytes at %#llx are not guest memory",
                             what, bytes, from);
    if (overlaps(gpa, memory_size, BOOT_AREA, BOOT_AREA_END) ||
        overlaps(gpa, memory_size, 0xa0000, 0x100000))
        return loader_refuse(loader, "%s at %#llx overlaps boot information or firmware tables",
                             what, from);
    memcpy(to, loader->kernel.bytes + offset, file_size);
    memset(to + file_size, 0, memory_size - file_size);
    return true;
}

bool loader_initrd_high(struct loader *loader, uint64_t floor, uint64_t limit, uint64_t *gpa)
{
    uint64_t size = loader->initrd.size;
    uint64_t top = limit < loader->mem->low_size ? limit : loader->mem->low_size;
    *gpa = 0;
    if (size == 0)
        return true;
    floor = (floor + 0xfff) & ~0xfffull;
    if (top < floor || size > top - floor || ((top - size) & ~0xfffull) < floor)
        return loader_refuse(
            loader,
            "initrd %.100s (%llu bytes) does not fit between the kernel's end %#llx "
            "and %#llx",
            loader->initrd.name, (unsigned long long)size, (unsigned long long)floor,
            (unsigned long long)top);
    *gpa = (top - size) & ~0xfffull;
    if (!guest_mem_write(loader->mem, *gpa, loader->initrd.bytes, size))
        return loader_refuse(loader, "initrd does not fit into guest memory");
    return true;
}

bool loader_cmdline(struct loader *loader, const char *prefix, uint64_t limit)
{
    size_t lead = prefix ? strlen(prefix) + 1 : 0, length = strlen(loader->cmdline);
    if (limit > BOOT_CMDLINE_MAX - 1)
        limit = BOOT_CMDLINE_MAX - 1;
    if (lead + length > limit)
        return loader_refuse(loader, "command line has %zu bytes, the kernel takes %llu",
                             lead + length, (unsigned long long)limit);
    char *to = guest_mem_writable(loader->mem, BOOT_CMDLINE, BOOT_CMDLINE_MAX);
    if (!to)
        return loader_refuse(loader, "too little guest memory for a command line");
    if (prefix) {
        memcpy(to, prefix, lead - 1);
        to[lead - 1] = ' ';
    }
    memcpy(to + lead, loader->cmdline, length + 1);
    return true;
}

bool loader_auto(struct loader *loader)
{
    const struct loader_image *kernel = &loader->kernel;
    if (loader_has(kernel, 0x202, 4) && memcmp(kernel->bytes + 0x202, "HdrS", 4) == 0)
        return loader_linux(loader);
    if (multiboot_find(kernel) >= 0)
        return loader_multiboot(loader);
    if (elf_is(kernel))
        return loader_pvh(loader);
    return loader_refuse(loader, "is no bzImage, no multiboot image and no ELF file");
}
