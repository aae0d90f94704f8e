/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32C (Castagnoli), as RFC 3720 has it. */
#ifndef DRIVERS_POOL_CRC32C_H
#define DRIVERS_POOL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t size);

#endif
