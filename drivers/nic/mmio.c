/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers as the process sees them: uncached memory. */
#include "drivers/nic/nic.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

uint32_t nic_read32(const struct nic *nic, uint32_t reg)
{
    return *(volatile uint32_t *)(nic->registers + reg);
}

void nic_write32(const struct nic *nic, uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(nic->registers + reg) = value;
}

uint16_t nic_read16(const struct nic *nic, uint32_t reg)
{
    return *(volatile uint16_t *)(nic->registers + reg);
}

void nic_write16(const struct nic *nic, uint32_t reg, uint16_t value)
{
    *(volatile uint16_t *)(nic->registers + reg) = value;
}

uint8_t nic_read8(const struct nic *nic, uint32_t reg)
{
    return *(nic->registers + reg);
}

void nic_write8(const struct nic *nic, uint32_t reg, uint8_t value)
{
    *(nic->registers + reg) = value;
}

void nic_sleep(const struct nic *nic, uint32_t microseconds)
{
    uint64_t until = time_ns() + microseconds * 1000ull;
    (void)nic;
    while (time_ns() < until)
        sys_thread_yield();
}
