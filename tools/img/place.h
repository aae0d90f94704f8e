/* SPDX-License-Identifier: BSD-2-Clause */
/* Options that say where a pool is. */
#ifndef TOOLS_IMG_PLACE_H
#define TOOLS_IMG_PLACE_H

#include "tools/img/store.h"

/* "4096", "64K", "10G". False: no size. */
bool place_size(const char *text, uint64_t *bytes);
/* Of getopt(): 'p', 'o', 's'. False: another one, or a bad value. */
bool place_option(struct place *place, int option, const char *value);

#endif
