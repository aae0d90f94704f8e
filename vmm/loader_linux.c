/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux bzImage: "The Linux/x86 Boot Protocol" and "Zero Page" of the kernel's documentation. */
#include <string.h>

#include "vmm/e820.h"
#include "vmm/loader.h"

/* Offsets in the file, and in boot_params. */
#define HDR_SETUP_SECTS      0x1f1u
#define HDR_SYSSIZE          0x1f4u
#define HDR_VID_MODE         0x1fau
#define HDR_BOOT_FLAG        0x1feu
#define HDR_JUMP             0x200u
#define HDR_MAGIC            0x202u
#define HDR_VERSION          0x206u
#define HDR_TYPE_OF_LOADER   0x210u
#define HDR_LOADFLAGS        0x211u
#define HDR_CODE32_START     0x214u
#define HDR_RAMDISK_IMAGE    0x218u
#define HDR_RAMDISK_SIZE     0x21cu
#define HDR_CMD_LINE_PTR     0x228u
#define HDR_INITRD_ADDR_MAX  0x22cu
#define HDR_KERNEL_ALIGNMENT 0x230u
#define HDR_RELOCATABLE      0x234u
#define HDR_XLOADFLAGS       0x236u
#define HDR_CMDLINE_SIZE     0x238u
#define HDR_PREF_ADDRESS     0x258u
#define HDR_INIT_SIZE        0x260u
#define HDR_END              0x264u

#define LOADFLAGS_LOADED_HIGH 0x01u
#define XLF_KERNEL_64         0x01u

#define ZP_ACPI_RSDP    0x070u
#define ZP_ALT_MEM_K    0x1e0u
#define ZP_E820_ENTRIES 0x1e8u
#define ZP_E820_TABLE   0x2d0u

struct linux_image {
    uint32_t version;
    uint64_t setup_bytes, payload_bytes;
    uint64_t load, init_size, alignment;
    uint64_t initrd_max, cmdline_max;
    bool relocatable, entry64;
};

static bool read_header(struct loader *loader, struct linux_image *image)
{
    const struct loader_image *file = &loader->kernel;
    if (!loader_has(file, 0, HDR_END) || loader_u16(file, HDR_BOOT_FLAG) != 0xaa55 ||
        memcmp(file->bytes + HDR_MAGIC, "HdrS", 4) != 0)
        return loader_refuse(loader, "is no Linux bzImage (boot_flag or header magic is wrong)");
    image->version = loader_u16(file, HDR_VERSION);
    if (image->version < 0x0206)
        return loader_refuse(loader, "boot protocol %u.%02u is too old, 2.06 is the first accepted",
                             image->version >> 8, image->version & 0xff);
    if (!(file->bytes[HDR_LOADFLAGS] & LOADFLAGS_LOADED_HIGH))
        return loader_refuse(loader, "loadflags: the kernel must be loaded below 640 KiB (zImage)");
    uint32_t sectors = file->bytes[HDR_SETUP_SECTS];
    image->setup_bytes = ((sectors ? sectors : 4) + 1) * 512ull;
    uint64_t said = (uint64_t)loader_u32(file, HDR_SYSSIZE) * 16;
    if (image->setup_bytes >= file->size)
        return loader_refuse(loader, "setup_sects: the file ends inside the setup code");
    image->payload_bytes = file->size - image->setup_bytes;
    if (said > image->payload_bytes + 15)
        return loader_refuse(loader, "syssize: the file is cut, %llu of %llu bytes are there",
                             (unsigned long long)image->payload_bytes, (unsigned long long)said);
    image->cmdline_max = loader_u32(file, HDR_CMDLINE_SIZE);
    image->initrd_max = (uint64_t)loader_u32(file, HDR_INITRD_ADDR_MAX) + 1;
    image->relocatable = file->bytes[HDR_RELOCATABLE];
    image->alignment = loader_u32(file, HDR_KERNEL_ALIGNMENT);
    image->entry64 = image->version >= 0x020c && (loader_u16(file, HDR_XLOADFLAGS) & XLF_KERNEL_64);
    image->init_size = image->payload_bytes;
    image->load = loader_u32(file, HDR_CODE32_START);
    if (image->version >= 0x020a) {
        uint64_t wanted = loader_u32(file, HDR_INIT_SIZE);
        image->init_size = wanted > image->payload_bytes ? wanted : image->payload_bytes;
        image->load = loader_u64(file, HDR_PREF_ADDRESS);
    }
    return true;
}

/* At pref_address, or, if guest memory is short there, at the lowest aligned place. */
static bool place_kernel(struct loader *loader, struct linux_image *image)
{
    uint64_t align = image->alignment;
    if (!guest_mem_writable(loader->mem, image->load, image->init_size) && image->relocatable) {
        if (align == 0 || (align & (align - 1)) || align > 0x40000000)
            return loader_refuse(loader, "kernel_alignment %#llx is no power of two up to 1 GiB",
                                 (unsigned long long)align);
        image->load = (0x100000 + align - 1) & ~(align - 1);
    }
    if (image->load < 0x100000 || image->load >= GUEST_LOW_LIMIT)
        return loader_refuse(loader, "pref_address %#llx is outside 1 MiB to 3 GiB",
                             (unsigned long long)image->load);
    /* init_size is what the kernel needs from there on before it reads the memory map. */
    if (!guest_mem_writable(loader->mem, image->load, image->init_size))
        return loader_refuse(
            loader, "init_size: the kernel needs %llu bytes at %#llx, more than guest memory",
            (unsigned long long)image->init_size, (unsigned long long)image->load);
    return loader_place(loader, "the kernel", image->load, image->setup_bytes, image->payload_bytes,
                        image->payload_bytes);
}

static void put32(uint8_t *zero_page, uint32_t offset, uint64_t value)
{
    uint32_t narrow = (uint32_t)value;
    memcpy(zero_page + offset, &narrow, sizeof(narrow));
}

static bool build_boot_params(struct loader *loader, const struct linux_image *image,
                              uint64_t initrd)
{
    const struct loader_image *file = &loader->kernel;
    uint8_t *zero_page = guest_mem_writable(loader->mem, BOOT_INFO, 4096);
    if (!zero_page)
        return loader_refuse(loader, "too little guest memory for boot_params");
    memset(zero_page, 0, 4096);
    uint32_t header_end = HDR_MAGIC + file->bytes[HDR_JUMP + 1];
    if (header_end > ZP_E820_TABLE - 0x40 || !loader_has(file, 0, header_end))
        header_end = HDR_END;
    memcpy(zero_page + HDR_SETUP_SECTS, file->bytes + HDR_SETUP_SECTS,
           header_end - HDR_SETUP_SECTS);
    zero_page[HDR_TYPE_OF_LOADER] = 0xff;
    zero_page[HDR_VID_MODE] = zero_page[HDR_VID_MODE + 1] = 0xff;
    put32(zero_page, HDR_CODE32_START, image->load);
    put32(zero_page, HDR_CMD_LINE_PTR, BOOT_CMDLINE);
    put32(zero_page, HDR_RAMDISK_IMAGE, initrd);
    put32(zero_page, HDR_RAMDISK_SIZE, loader->initrd.size);
    put32(zero_page, ZP_ALT_MEM_K, (loader->mem->low_size - 0x100000) >> 10);
    memcpy(zero_page + ZP_ACPI_RSDP, &loader->rsdp, 8);
    struct e820_entry map[E820_MAX];
    uint32_t count = e820_build(loader->mem, map);
    zero_page[ZP_E820_ENTRIES] = (uint8_t)count;
    memcpy(zero_page + ZP_E820_TABLE, map, count * sizeof(map[0]));
    return true;
}

bool loader_linux(struct loader *loader)
{
    struct linux_image image = {0};
    uint64_t initrd;
    if (!read_header(loader, &image) || !place_kernel(loader, &image) ||
        !loader_cmdline(loader, NULL, image.cmdline_max) ||
        !loader_initrd_high(loader, image.load + image.init_size, image.initrd_max, &initrd) ||
        !build_boot_params(loader, &image, initrd))
        return false;
    if (image.entry64) {
        boot_state_long(loader, image.load + 0x200, BOOT_INFO);
    } else {
        boot_state_protected(loader, image.load);
        loader->page->gpr[GPR_RSI] = BOOT_INFO;
    }
    return true;
}
