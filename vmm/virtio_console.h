/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio console with one port and a size (virtio 1.2, "Console Device"). */
#ifndef VMM_VIRTIO_CONSOLE_H
#define VMM_VIRTIO_CONSOLE_H

#include "vmm/channel.h"
#include "vmm/virtio_pci.h"

struct virtio_console {
    struct virtio_pci virtio;
    struct byte_channel *channel; /* NULL: output is dropped */
    struct vq_chain sending;      /* partly written; the channel had no room for the rest */
    bool sending_valid;
    uint64_t sent;             /* bytes of it that are out */
    struct vq_chain receiving; /* taken before there was input for it */
    bool receiving_valid;
    struct dev_timer stalled;
    uint64_t bytes_out, bytes_in, dropped;
};

void virtio_console_init(struct virtio_console *console, struct pci_bus *bus, unsigned slot,
                         uint8_t interrupt_line, struct byte_channel *channel);
/* The channel has input, or room. */
void virtio_console_channel_event(struct virtio_console *console);
void virtio_console_resize(struct virtio_console *console, uint16_t columns, uint16_t rows);

#endif
