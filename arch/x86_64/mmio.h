/* SPDX-License-Identifier: BSD-2-Clause */
/* Device registers. */
#ifndef ARCH_MMIO_H
#define ARCH_MMIO_H

#include "lib/types.h"

static inline uint32_t mmio_read32(const volatile uint8_t *reg)
{
    return *(const volatile uint32_t *)reg;
}
static inline uint64_t mmio_read64(const volatile uint8_t *reg)
{
    return *(const volatile uint64_t *)reg;
}
static inline void mmio_write32(volatile uint8_t *reg, uint32_t value)
{
    *(volatile uint32_t *)reg = value;
}
static inline void mmio_write64(volatile uint8_t *reg, uint64_t value)
{
    *(volatile uint64_t *)reg = value;
}

#endif
