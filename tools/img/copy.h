/* SPDX-License-Identifier: BSD-2-Clause */
/* Imports and exports. format: "raw", "qcow2"; NULL: an import looks, an export is raw. */
#ifndef TOOLS_IMG_COPY_H
#define TOOLS_IMG_COPY_H

#include "tools/img/store.h"

/* NULL, or why not; then there is no new volume. */
const char *copy_in(struct store *store, const char *image, const char *volume, const char *format);
const char *copy_out(struct store *store, const char *volume, const char *image,
                     const char *format);

#endif
