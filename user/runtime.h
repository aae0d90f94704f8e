/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the runtime; programs use user/program.h. */
#ifndef USER_RUNTIME_H
#define USER_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* What crt0 and the root start do before the program's first line. name: for messages. */
void runtime_init(const char *name, uint32_t first_free_slot);
void slot_init(uint32_t first_free);
void time_init(uint64_t tsc_khz);
void log_init(const char *name);
/* One line of length bytes, without its newline, to the kernel log. */
void log_text(const char *text, size_t length);

#endif
