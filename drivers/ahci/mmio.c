/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers as the process sees them: uncached memory. */
#include "drivers/ahci/hba.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

static volatile uint32_t *at(const struct hba *hba, uint32_t reg)
{
    return (volatile uint32_t *)((uint8_t *)hba->registers + reg);
}

uint32_t hba_read(const struct hba *hba, uint32_t reg)
{
    return *at(hba, reg);
}

void hba_write(const struct hba *hba, uint32_t reg, uint32_t value)
{
    *at(hba, reg) = value;
}

void hba_pause(const struct hba *hba)
{
    (void)hba;
    sys_thread_yield();
}
