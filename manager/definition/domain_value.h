/* SPDX-License-Identifier: BSD-2-Clause */
/* The values that stand in domain XML: numbers, amounts of memory, UUIDs, CPU sets, paths. */
#ifndef MANAGER_DEFINITION_DOMAIN_VALUE_H
#define MANAGER_DEFINITION_DOMAIN_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All return false, and leave *out as it was, if the text is not such a value. Blanks around the
 * value are allowed, nothing else is. */
bool value_u64(const char *text, uint64_t max, uint64_t *out);
bool value_s64(const char *text, int64_t *out);
/* Seconds with up to three decimals, as milliseconds; at most an hour. */
bool value_seconds_ms(const char *text, uint32_t *out);
/* unit as libvirt has it ("KiB", "M", "bytes", ...; NULL: KiB). Bytes, rounded up to 4 KiB. */
bool value_memory(const char *text, const char *unit, uint64_t *bytes_out);
bool value_uuid(const char *text, uint8_t uuid[16]);
/* "0-3,^2,8": sets bits of set[words]. */
bool value_cpuset(const char *text, uint64_t *set, uint32_t words);
/* 1 to size - 1 letters, digits or _-.+: a name that needs no quotes. */
bool value_word(const char *text, size_t size);
/* A path below the set folder: relative, without "..", at most size - 1 bytes once "./" and double
 * slashes are gone. On failure *why says what is wrong. */
bool value_path(const char *text, char *out, size_t size, const char **why);

#endif
