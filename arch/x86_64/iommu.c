/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/iommu.h"

/* Without a unit the tables only record what is mapped. */
struct iommu_info iommu = {
    .kind = DMA_OPEN,
    .bits = 48,
    .format = {.table = 3,
               .leaf = 0,
               .large = 1u << 7,
               .present = 3,
               .read = 1,
               .write = 2,
               .max_level = 2},
};

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
