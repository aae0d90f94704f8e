/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_FONT_H
#define ARCH_FONT_H

#include "lib/types.h"

#define FONT_FIRST   32u
#define FONT_COUNT   95u
#define FONT_ROWS    7u
#define FONT_COLUMNS 5u

extern const uint8_t font_rows[FONT_COUNT][FONT_ROWS];

#endif
