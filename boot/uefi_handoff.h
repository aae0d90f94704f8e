/* SPDX-License-Identifier: BSD-2-Clause */
/* What Mullion's UEFI loader (boot/uefi/) passes to boot_entry_uefi: its address, below 4 GiB, in
 * RDI. The loader and the kernel may come from different builds, hence magic, version and sizes. */
#ifndef BOOT_UEFI_HANDOFF_H
#define BOOT_UEFI_HANDOFF_H

#include "boot/bootinfo.h"

#define UEFI_HANDOFF_MAGIC   0x46464f444e41484dull /* "MHANDOFF" */
#define UEFI_HANDOFF_VERSION 2u

/* All addresses are host-physical and may lie above 4 GiB. Later versions add at the end. */
struct uefi_handoff {
    uint64_t magic;
    uint32_t version;
    uint32_t size;            /* of this structure, as the loader knows it */
    uint64_t memory_map;      /* EFI memory descriptors, as GetMemoryMap gave them */
    uint64_t memory_map_size; /* bytes */
    uint64_t descriptor_size; /* bytes */
    uint64_t rsdp;            /* 0: none */
    uint64_t package;
    uint64_t package_size; /* bytes; 0: none */
    struct root_framebuffer fb;
    char cmdline[BOOTINFO_CMDLINE]; /* zero-terminated */
};
_Static_assert(sizeof(struct uefi_handoff) == 96 + BOOTINFO_CMDLINE, "uefi_handoff has no padding");

#endif
