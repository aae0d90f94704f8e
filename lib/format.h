/* SPDX-License-Identifier: BSD-2-Clause */
/* The small formatter of ring 0: %s %c %d %u %x %p %% with a width, a leading 0, #, and l
 * or ll. */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include <stdarg.h>
#include "lib/types.h"

/* Writes at most size bytes, the last one a NUL (size >= 1); what does not fit is cut. Returns the
 * characters written without the NUL. A directive it does not know appears as it stands, and ends
 * the conversion of arguments, because their types are not known from there on. */
size_t format_args(char *buffer, size_t size, const char *format, va_list args);
__attribute__((format(printf, 3, 4))) size_t format_text(char *buffer, size_t size,
                                                         const char *format, ...);

#endif
