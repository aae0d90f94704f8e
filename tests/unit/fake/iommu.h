/* SPDX-License-Identifier: BSD-2-Clause */
/* No IOMMU, for tests that are not about it; tests/unit/iommu.c has the real code instead. */
#ifndef TESTS_UNIT_FAKE_IOMMU_H
#define TESTS_UNIT_FAKE_IOMMU_H

#include "arch/x86_64/iommu.h"

struct acpi_dma dma_tables;
struct iommu_info iommu = {.bits = 48,
                           .format = {.table = 3,
                                      .large = 0x80,
                                      .present = 3,
                                      .read = 1,
                                      .write = 2,
                                      .max_level = 2,
                                      .levels = 4}};
struct iommu_unit *iommu_of(uint32_t requester)
{
    (void)requester;
    return NULL;
}
bool iommu_attach(struct iommu_unit *unit, uint32_t requester, uint32_t count, hpa_t root,
                  uint32_t *domain)
{
    (void)unit, (void)requester, (void)count, (void)root, (void)domain;
    return false;
}
void iommu_detach(struct iommu_unit *unit, uint32_t requester, uint32_t count, uint32_t domain)
{
    (void)unit, (void)requester, (void)count, (void)domain;
}
void iommu_flush(struct iommu_unit *unit, uint32_t domain)
{
    (void)unit, (void)domain;
}
void iommu_mapped(struct iommu_unit *unit, uint32_t domain)
{
    (void)unit, (void)domain;
}
void iommu_interrupt(void)
{
}

#endif
