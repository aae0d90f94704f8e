/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/uefi/report.h"
#include "boot/uefi/volume.h"

#define PAGE 4096ull
#define CHUNK \
    (4ull << 20) /* some firmware fails on huge reads; also the step of the progress line */

static EFI_GUID simple_file_system = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static EFI_GUID file_info = EFI_FILE_INFO_ID;

static EFI_STATUS open_file(EFI_BOOT_SERVICES *services, EFI_HANDLE device, const char *name,
                            EFI_FILE_HANDLE *file)
{
    EFI_FILE_IO_INTERFACE *volume;
    EFI_FILE_HANDLE root;
    CHAR16 path[64] = L"\\EFI\\mullion\\";
    UINTN at = 13;
    EFI_STATUS status;

    while (*name && at + 1 < sizeof(path) / sizeof(path[0]))
        path[at++] = (CHAR16)*name++;
    path[at] = 0;
    status = services->HandleProtocol(device, &simple_file_system, (void **)&volume);
    if (EFI_ERROR(status))
        return status;
    status = volume->OpenVolume(volume, &root);
    if (EFI_ERROR(status))
        return status;
    status = root->Open(root, file, path, EFI_FILE_MODE_READ, 0);
    root->Close(root);
    return status;
}

static EFI_STATUS file_size(EFI_FILE_HANDLE file, UINT64 *size)
{
    UINT64 buffer[(sizeof(EFI_FILE_INFO) + 512) / 8];
    UINTN bytes = sizeof(buffer);
    EFI_STATUS status = file->GetInfo(file, &file_info, &bytes, buffer);
    if (!EFI_ERROR(status))
        *size = ((EFI_FILE_INFO *)buffer)->FileSize;
    return status;
}

static EFI_STATUS read_all(EFI_FILE_HANDLE file, UINT8 *memory, UINT64 size)
{
    for (UINT64 at = 0; at < size;) {
        UINTN bytes = size - at < CHUNK ? size - at : CHUNK;
        EFI_STATUS status = file->Read(file, &bytes, memory + at);
        if (EFI_ERROR(status))
            return status;
        if (bytes == 0)
            return EFI_END_OF_FILE;
        at += bytes;
        if (size > CHUNK)
            report(".");
    }
    return EFI_SUCCESS;
}

static EFI_STATUS load(EFI_BOOT_SERVICES *services, EFI_FILE_HANDLE file, const char *name,
                       struct blob *blob)
{
    EFI_PHYSICAL_ADDRESS pages = 0;
    UINT64 size = 0;
    EFI_STATUS status = file_size(file, &size);
    if (EFI_ERROR(status))
        return report_failure("the size of a file cannot be read", name, status);
    if (size == 0)
        return EFI_SUCCESS;
    status =
        services->AllocatePages(AllocateAnyPages, EfiLoaderData, (size + PAGE - 1) / PAGE, &pages);
    if (EFI_ERROR(status))
        return report_failure("there is not enough memory for a file", name, status);
    status = read_all(file, (UINT8 *)pages, size);
    report("\n");
    if (EFI_ERROR(status))
        return report_failure("a file cannot be read", name, status);
    blob->data = (const void *)pages;
    blob->size = size;
    return EFI_SUCCESS;
}

EFI_STATUS volume_read(EFI_BOOT_SERVICES *services, EFI_HANDLE device, const char *name,
                       int optional, struct blob *blob)
{
    EFI_FILE_HANDLE file;
    *blob = (struct blob){NULL, 0};
    EFI_STATUS status = open_file(services, device, name, &file);
    if (status == EFI_NOT_FOUND && optional)
        return EFI_SUCCESS;
    if (EFI_ERROR(status))
        return report_failure("cannot open a file in \\EFI\\mullion", name, status);
    report("Loading ");
    report(name);
    report(" ");
    status = load(services, file, name, blob);
    file->Close(file);
    return status;
}
