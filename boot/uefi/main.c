/* SPDX-License-Identifier: BSD-2-Clause */
/* Mullion's UEFI loader: kernel, boot package and command line come from sections of the loader's
 * own file if it has any (one signed image), or from \EFI\mullion\ on its volume. */
#include <stddef.h>
#include "boot/uefi_handoff.h"
#include "boot/uefi/kernel_image.h"
#include "boot/uefi/report.h"
#include "boot/uefi/sections.h"
#include "boot/uefi/volume.h"

#define PAGE     4096ull
#define LOW_LAST 0xffffffffull /* the kernel's 32-bit entry code reaches no further */

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table);

struct boot_files {
    struct blob kernel, package, cmdline;
};

static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
static EFI_GUID global_variable = EFI_GLOBAL_VARIABLE;
static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

/* Any embedded part makes the image a unified one: then files are not looked at, or a signature
 * would cover only half of what runs. */
static EFI_STATUS embedded_files(const EFI_LOADED_IMAGE *self, struct boot_files *files, int *found)
{
    files->kernel.data =
        section_find(self->ImageBase, self->ImageSize, ".kernel", &files->kernel.size);
    files->package.data =
        section_find(self->ImageBase, self->ImageSize, ".package", &files->package.size);
    files->cmdline.data =
        section_find(self->ImageBase, self->ImageSize, ".cmdline", &files->cmdline.size);
    *found = files->kernel.data || files->package.data || files->cmdline.data;
    if (*found && !(files->kernel.data && files->package.data && files->cmdline.data))
        return report_failure("the unified image lacks one of .kernel, .package, .cmdline", NULL,
                              0);
    return EFI_SUCCESS;
}

static int secure_boot_is_on(EFI_RUNTIME_SERVICES *services)
{
    CHAR16 name[] = L"SecureBoot";
    UINT8 on = 0;
    UINTN size = sizeof(on);
    EFI_STATUS status = services->GetVariable(name, &global_variable, NULL, &size, &on);
    return !EFI_ERROR(status) && on;
}

static EFI_STATUS find_files(EFI_SYSTEM_TABLE *table, const EFI_LOADED_IMAGE *self,
                             struct boot_files *files)
{
    EFI_BOOT_SERVICES *services = table->BootServices;
    int found = 0;
    EFI_STATUS status = embedded_files(self, files, &found);
    if (found || EFI_ERROR(status))
        return status;
    /* A signature on the loader says nothing of files beside it. */
    if (secure_boot_is_on(table->RuntimeServices))
        return report_failure("Secure Boot is on, and this loader has no kernel inside: "
                              "sign and boot the unified image",
                              NULL, EFI_SECURITY_VIOLATION);
    status = volume_read(services, self->DeviceHandle, "mullion.elf", 0, &files->kernel);
    if (!EFI_ERROR(status))
        status = volume_read(services, self->DeviceHandle, "mullion.pkg", 0, &files->package);
    if (!EFI_ERROR(status))
        status = volume_read(services, self->DeviceHandle, "cmdline.txt", 1, &files->cmdline);
    return status;
}

/* A text file's line end is not part of the command line. */
static UINT64 cmdline_length(const struct blob *cmdline)
{
    const char *text = cmdline->data;
    UINT64 n = 0;
    while (n < cmdline->size && text[n] && text[n] != '\n' && text[n] != '\r')
        n++;
    return n;
}

static EFI_STATUS place_kernel(EFI_BOOT_SERVICES *services, const struct blob *file, UINT64 *entry)
{
    struct kernel_image image;
    EFI_PHYSICAL_ADDRESS memory = LOW_LAST;
    const char *error = kernel_image_open(&image, file->data, file->size);
    if (error)
        return report_failure(error, NULL, 0);
    UINTN pages = (image.span + KERNEL_IMAGE_ALIGN) / PAGE + 1;
    /* Code, not data: firmware may make data pages not executable, and entry runs in its tables. */
    EFI_STATUS status = services->AllocatePages(AllocateMaxAddress, EfiLoaderCode, pages, &memory);
    if (EFI_ERROR(status))
        return report_failure("there is not enough memory below 4 GiB for the kernel", NULL,
                              status);
    memory = (memory + KERNEL_IMAGE_ALIGN - 1) & ~(KERNEL_IMAGE_ALIGN - 1);
    kernel_image_place(&image, (void *)memory);
    *entry = memory + image.entry;
    return EFI_SUCCESS;
}

static UINT64 find_rsdp(const EFI_SYSTEM_TABLE *table)
{
    static const EFI_GUID acpi[2] = {ACPI_20_TABLE_GUID, ACPI_TABLE_GUID};
    for (unsigned version = 0; version < 2; version++)
        for (UINTN i = 0; i < table->NumberOfTableEntries; i++)
            if (__builtin_memcmp(&table->ConfigurationTable[i].VendorGuid, &acpi[version],
                                 sizeof(EFI_GUID)) == 0)
                return (UINT64)table->ConfigurationTable[i].VendorTable;
    return 0;
}

static void find_framebuffer(EFI_BOOT_SERVICES *services, struct uefi_handoff *handoff)
{
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
    UINT32 red, green, blue;
    if (EFI_ERROR(services->LocateProtocol(&graphics_guid, NULL, (void **)&gop)) || !gop->Mode)
        return;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop->Mode->Info;
    switch (mode->PixelFormat) {
    case PixelRedGreenBlueReserved8BitPerColor:
        red = 0xff, green = 0xff00, blue = 0xff0000;
        break;
    case PixelBlueGreenRedReserved8BitPerColor:
        red = 0xff0000, green = 0xff00, blue = 0xff;
        break;
    case PixelBitMask:
        red = mode->PixelInformation.RedMask;
        green = mode->PixelInformation.GreenMask;
        blue = mode->PixelInformation.BlueMask;
        break;
    default: /* no linear framebuffer */
        return;
    }
    if (!red || !green || !blue)
        return;
    handoff->fb = (struct root_framebuffer){.base = gop->Mode->FrameBufferBase,
                                            .pitch = mode->PixelsPerScanLine * 4,
                                            .width = mode->HorizontalResolution,
                                            .height = mode->VerticalResolution,
                                            .bpp = 32,
                                            .red_shift = (UINT8)__builtin_ctz(red),
                                            .green_shift = (UINT8)__builtin_ctz(green),
                                            .blue_shift = (UINT8)__builtin_ctz(blue)};
}

static EFI_STATUS make_handoff(EFI_SYSTEM_TABLE *table, const struct boot_files *files,
                               struct uefi_handoff **out)
{
    EFI_PHYSICAL_ADDRESS page = LOW_LAST;
    EFI_STATUS status =
        table->BootServices->AllocatePages(AllocateMaxAddress, EfiLoaderData, 1, &page);
    if (EFI_ERROR(status))
        return report_failure("there is not enough memory below 4 GiB", NULL, status);
    struct uefi_handoff *handoff = (struct uefi_handoff *)page;
    *handoff = (struct uefi_handoff){.magic = UEFI_HANDOFF_MAGIC,
                                     .version = UEFI_HANDOFF_VERSION,
                                     .size = sizeof(*handoff),
                                     .rsdp = find_rsdp(table),
                                     .package = (UINT64)files->package.data,
                                     .package_size = files->package.size};
    UINT64 length = cmdline_length(&files->cmdline);
    __builtin_memcpy(handoff->cmdline, files->cmdline.data,
                     length < BOOTINFO_CMDLINE ? length : BOOTINFO_CMDLINE - 1);
    find_framebuffer(table->BootServices, handoff);
    *out = handoff;
    return EFI_SUCCESS;
}

/* UEFI, "EFI_BOOT_SERVICES.ExitBootServices()": the map's key goes stale with every allocation, and
 * a failed call may be repeated only after GetMemoryMap() into memory that is there already. */
static EFI_STATUS leave_firmware(EFI_BOOT_SERVICES *services, EFI_HANDLE handle,
                                 struct uefi_handoff *handoff)
{
    UINTN size = 0, key = 0, descriptor_size = 0;
    UINT32 version = 0;
    void *map = NULL;
    services->GetMemoryMap(&size, NULL, &key, &descriptor_size, &version);
    UINTN room = size + 64 * descriptor_size; /* the allocation itself splits some ranges */
    EFI_STATUS status = services->AllocatePool(EfiLoaderData, room, &map);
    if (EFI_ERROR(status))
        return report_failure("there is not enough memory for the memory map", NULL, status);
    for (int attempt = 0; attempt < 8; attempt++) {
        size = room;
        status = services->GetMemoryMap(&size, map, &key, &descriptor_size, &version);
        if (EFI_ERROR(status))
            return report_failure("the firmware's memory map cannot be read", NULL, status);
        handoff->memory_map = (UINT64)map;
        handoff->memory_map_size = size;
        handoff->descriptor_size = descriptor_size;
        status = services->ExitBootServices(handle, key);
        if (!EFI_ERROR(status))
            return EFI_SUCCESS;
    }
    return report_failure("the firmware does not let go (ExitBootServices)", NULL, status);
}

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table)
{
    EFI_BOOT_SERVICES *services = table->BootServices;
    EFI_LOADED_IMAGE *self;
    struct boot_files files = {0};
    struct uefi_handoff *handoff = NULL;
    UINT64 entry = 0;

    report_start(table);
    report("\nMullion UEFI loader\n");
    EFI_STATUS status = services->HandleProtocol(handle, &loaded_image_guid, (void **)&self);
    if (EFI_ERROR(status))
        return report_failure("the loader cannot find itself", NULL, status);
    status = find_files(table, self, &files);
    if (!EFI_ERROR(status))
        status = place_kernel(services, &files.kernel, &entry);
    if (!EFI_ERROR(status))
        status = make_handoff(table, &files, &handoff);
    if (!EFI_ERROR(status))
        status = leave_firmware(services, handle, handoff);
    if (EFI_ERROR(status))
        return status;
    ((void(__attribute__((sysv_abi)) *)(struct uefi_handoff *))entry)(handoff);
    __builtin_unreachable();
}
