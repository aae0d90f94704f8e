/* SPDX-License-Identifier: BSD-2-Clause */
/* Files beside the loader. */
#ifndef BOOT_UEFI_VOLUME_H
#define BOOT_UEFI_VOLUME_H

#include <efi.h>

struct blob {
    const void *data;
    UINT64 size;
};

/* Reads \EFI\mullion\NAME of the volume that the loader came from into pages anywhere in memory.
 * Reports what goes wrong; a missing file is an error unless `optional`, then the blob stays empty.
 */
EFI_STATUS volume_read(EFI_BOOT_SERVICES *services, EFI_HANDLE device, const char *name,
                       int optional, struct blob *blob);

#endif
