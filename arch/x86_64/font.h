/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_FONT_H
#define ARCH_FONT_H

#include "lib/types.h"

#define FONT_FIRST   0x20u
#define FONT_COUNT   95u
#define FONT_COLUMNS 5u
#define FONT_ROWS    7u

/* FONT_COLUMNS bits a row, the top row lowest; in each the leftmost column is the highest bit. */
extern const uint64_t font[FONT_COUNT];

#endif
