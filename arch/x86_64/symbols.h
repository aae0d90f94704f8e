/* SPDX-License-Identifier: BSD-2-Clause */
/* Function names for the panic screen; the table is made by tools/gen-symbols. */
#ifndef ARCH_SYMBOLS_H
#define ARCH_SYMBOLS_H

#include "lib/types.h"

struct symbol {
    uint32_t offset; /* from the start of the image, ascending */
    uint32_t name;   /* offset in the names */
};

/* Last symbol at or below offset; NULL: none. */
const struct symbol *symbol_find(const struct symbol *table, uint32_t count, uint64_t offset);
/* Name of the function that holds the address, and the distance from its start. NULL: not in the
 * kernel's text, or this image has no table. */
const char *symbol_name(uint64_t address, uint64_t *distance);
/* Whether an address lies in the kernel's text. */
bool symbol_is_text(uint64_t address);

#endif
