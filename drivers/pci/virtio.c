/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a virtio device's structures are (VIRTIO 1.2, "Virtio Structure PCI Capabilities"). Of each
 * kind the first counts. */
#include "drivers/pci/pci.h"

#include <stddef.h>

#define CAP_VENDOR     0x09u
#define CAP_BAR        4u /* with padding; type and length are in the first word */
#define CAP_OFFSET     8u
#define CAP_LENGTH     12u
#define CAP_MULTIPLIER 16u
#define CAP_LENGTH_MIN 16u
#define NOTIFY_LENGTH  20u

struct walk {
    const struct pci_access *access;
    pci_id_t id;
    struct pci_virtio *to;
};

static bool visit(void *context, uint32_t cap_id, uint32_t at)
{
    struct walk *w = context;
    if (cap_id != CAP_VENDOR)
        return true;
    uint32_t head = w->access->read(w->access, w->id, at);
    uint32_t length = head >> 16 & 0xffu, type = head >> 24;
    if (type < 1 || type >= PCI_VIRTIO_TYPES || length < CAP_LENGTH_MIN || at + length > 256)
        return true;
    struct pci_virtio_structure *s = &w->to->structure[type];
    if (s->size || (type == PCI_VIRTIO_NOTIFY && length < NOTIFY_LENGTH))
        return true;
    s->bar = w->access->read(w->access, w->id, at + CAP_BAR) & 0xffu;
    s->offset = w->access->read(w->access, w->id, at + CAP_OFFSET);
    s->size = w->access->read(w->access, w->id, at + CAP_LENGTH);
    if (type == PCI_VIRTIO_NOTIFY)
        w->to->notify_multiplier = w->access->read(w->access, w->id, at + CAP_MULTIPLIER);
    return true;
}

const char *pci_virtio_read(const struct pci_access *access, const struct pci_device *device,
                            struct pci_virtio *to)
{
    struct walk w = {access, device->id, to};
    *to = (struct pci_virtio){0};
    const char *why = pci_walk(access, device->id, visit, &w);
    if (why)
        return why;
    uint32_t bar = to->structure[PCI_VIRTIO_COMMON].bar;
    for (uint32_t i = PCI_VIRTIO_COMMON; i < PCI_VIRTIO_TYPES; i++) {
        const struct pci_virtio_structure *s = &to->structure[i];
        if (!s->size)
            return "it has no modern virtio registers";
        if (s->bar != bar || bar >= PCI_BARS || device->bar[bar].kind != PCI_BAR_MEMORY)
            return "its structures do not lie in one memory BAR";
        if (s->offset % 4 || s->offset > device->bar[bar].size ||
            s->size > device->bar[bar].size - s->offset)
            return "one of its structures reaches out of its BAR";
    }
    return NULL;
}
