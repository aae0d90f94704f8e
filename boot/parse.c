/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/parse.h"

void parse_cmdline(struct bootinfo *out, const char *text, uint64_t limit)
{
    uint64_t n = 0;
    while (n < limit && text[n] && n < BOOTINFO_CMDLINE - 1) {
        out->cmdline[n] = text[n];
        n++;
    }
    out->cmdline[n] = 0;
}

const char *parse_package(struct bootinfo *out, uint64_t base, uint64_t size)
{
    if (out->package_size)
        return "the loader brought more than one module; only the boot package is wanted";
    if (size == 0)
        return "the boot package that the loader brought is empty";
    if (base + size < base || base + size > 1ull << 52)
        return "the boot package lies outside the address space";
    out->package_base = base;
    out->package_size = size;
    return NULL;
}

void parse_rsdp(struct bootinfo *out, const void *rsdp, uint64_t size)
{
    if (size < 20 || __builtin_memcmp(rsdp, "RSD PTR ", 8) != 0)
        return;
    uint8_t revision = ((const uint8_t *)rsdp)[15];
    uint32_t bytes = revision >= 2 && size >= BOOTINFO_RSDP ? BOOTINFO_RSDP : 20;
    if (bytes <= out->rsdp_copied)
        return;
    __builtin_memcpy(out->rsdp_copy, rsdp, bytes);
    out->rsdp_copied = bytes;
}

void parse_rsdp_at(struct bootinfo *out, uint64_t pa)
{
    const void *rsdp = pa ? early_map(pa, BOOTINFO_RSDP) : NULL;
    if (rsdp)
        parse_rsdp(out, rsdp, BOOTINFO_RSDP);
}
