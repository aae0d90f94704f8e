/* SPDX-License-Identifier: BSD-2-Clause */
/* The two lists of capabilities. A set of offsets already seen ends a list that leads back to
 * itself. */
#include "drivers/pci/pci.h"

#include <stddef.h>

#define STATUS_CAPABILITIES 0x00100000u /* in the word of the command register */
#define CAP_POINTER         0x34u
#define CAP_FIRST           0x40u
#define CAP_END             0x100u
#define EXTENDED_FIRST      0x100u

const char *pci_walk(const struct pci_access *access, pci_id_t id, pci_cap_visit visit,
                     void *context)
{
    uint64_t seen = 0; /* a bit for each word of the first 256 bytes */
    if (!(access->read(access, id, PCI_COMMAND) & STATUS_CAPABILITIES))
        return NULL;
    uint32_t at = access->read(access, id, CAP_POINTER) & 0xfcu;
    while (at) {
        if (at < CAP_FIRST)
            return "a capability lies inside the header";
        if (seen & 1ull << at / 4)
            return "the list of capabilities is a loop";
        seen |= 1ull << at / 4;
        uint32_t word = access->read(access, id, at);
        if (word == UINT32_MAX)
            return "the list of capabilities leads to nothing";
        if (!visit(context, word & 0xffu, at))
            return NULL;
        at = word >> 8 & 0xfcu;
    }
    return NULL;
}

const char *pci_walk_extended(const struct pci_access *access, pci_id_t id, pci_cap_visit visit,
                              void *context)
{
    uint64_t seen[PCI_CONFIG_SIZE / 4 / 64] = {0};
    uint32_t at = EXTENDED_FIRST;
    while (at) {
        if (at < CAP_END)
            return "an extended capability lies inside the first 256 bytes";
        if (seen[at / 256] & 1ull << (at / 4 % 64))
            return "the list of extended capabilities is a loop";
        seen[at / 256] |= 1ull << (at / 4 % 64);
        uint32_t word = access->read(access, id, at);
        /* The first place says so when there are none; beyond it, it is a broken list. */
        if (word == 0 || word == UINT32_MAX)
            return at == EXTENDED_FIRST ? NULL : "the extended capabilities lead to nothing";
        if ((word & 0xffffu) && !visit(context, word & 0xffffu, at))
            return NULL;
        at = word >> 20 & 0xffcu;
    }
    return NULL;
}

struct search {
    uint32_t id, offset;
};

static bool compare(void *context, uint32_t id, uint32_t offset)
{
    struct search *search = context;
    if (id == search->id)
        search->offset = offset;
    return !search->offset;
}

uint32_t pci_find_extended(const struct pci_access *access, const struct pci_device *device,
                           uint32_t cap_id)
{
    struct search search = {cap_id, 0};
    if (!device->cap_express || pci_walk_extended(access, device->id, compare, &search))
        return 0;
    return search.offset;
}
