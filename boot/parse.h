/* SPDX-License-Identifier: BSD-2-Clause */
/* One parser for each boot protocol. Each reads the loader's structure at a host-physical address
 * through early_map(), believes nothing in it, and returns NULL or a sentence for bootinfo.error.
 */
#ifndef BOOT_PARSE_H
#define BOOT_PARSE_H

#include "boot/memmap.h"
#include "boot/program.h"

const char *multiboot2_parse(uint64_t info_pa, struct memmap *map, struct bootinfo *out);
const char *pvh_parse(uint64_t info_pa, struct memmap *map, struct bootinfo *out);
const char *uefi_handoff_parse(uint64_t info_pa, struct memmap *map, struct bootinfo *out);

/* Copies at most `limit` bytes up to a zero byte; what does not fit is cut. */
void parse_cmdline(struct bootinfo *out, const char *text, uint64_t limit);
/* The one module there may be. NULL or a sentence. */
const char *parse_package(struct bootinfo *out, uint64_t base, uint64_t size);
/* A copy of the RSDP; ignored unless it is one and says more than what is there already. */
void parse_rsdp(struct bootinfo *out, const void *rsdp, uint64_t size);
void parse_rsdp_at(struct bootinfo *out, uint64_t pa); /* 0: none */

#endif
