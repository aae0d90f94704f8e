/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel 82540EM Gigabit Ethernet controller, for guests without virtio (PCI/PCI-X Family of Gigabit
 * Ethernet Controllers Software Developer's Manual, 317453, whose names are used here). Frames go
 * to and from the channel where the guest's descriptors have them; the headers of frames that the
 * controller has to change (segmentation, IP checksum, VLAN tag) are read once, into the bounce
 * memory behind the area. */
#ifndef VMM_E1000_H
#define VMM_E1000_H

#include "vmm/net.h"
#include "vmm/pci.h"

#define E1000_REGISTERS    0x6000u /* bytes of BAR 0 that hold registers */
#define E1000_EEPROM_WORDS 64u
#define E1000_PHY_WORDS    32u

/* Offload context: where the sums are, and how to cut. */
struct e1000_context {
    uint8_t ipcss, ipcso, tucss, tucso;
    uint16_t ipcse, mss;
    uint8_t hdrlen, tucmd;
};

/* A frame that is put together of transmit descriptors. */
struct e1000_frame {
    struct frame_entry entry[FRAME_PARTS_MAX];
    uint32_t entries, bytes;
    uint32_t first; /* descriptor */
    bool begun, bad;
    uint8_t command, options; /* of its first descriptor: DCMD, POPTS */
    uint8_t sum_at, sum_from; /* legacy: CSO, CSS */
    uint16_t special;         /* VLAN tag */
};

/* An entry of the channel's ring for sending. */
struct e1000_sent {
    uint32_t first, last; /* descriptors of the frame */
    bool ends;            /* its last entry */
};

/* An entry of the channel's ring for receiving: one descriptor. */
struct e1000_posted {
    uint32_t descriptor, room;
    uint8_t *data;
};

struct e1000 {
    struct pci_device pci;
    struct net *net;
    struct machine *machine;
    uint32_t reg[E1000_REGISTERS / 4];
    uint16_t eeprom[E1000_EEPROM_WORDS], phy[E1000_PHY_WORDS];
    uint32_t io_address; /* IOADDR */
    struct {
        uint32_t in, bits; /* shifted in since CS */
        uint32_t out;      /* bit that DO shows */
        bool reading;
    } microwire;
    struct e1000_context context[2]; /* without, with segmentation */
    struct e1000_frame frame;
    struct e1000_sent sent[FRAME_ENTRIES];
    struct e1000_posted posted[FRAME_ENTRIES];
    uint32_t frames_sent;
    uint32_t receive_next;       /* descriptor to post next */
    uint32_t buffers_left;       /* of the frame that is being received */
    uint16_t frame_flags;        /* its first entry's */
    bool running;                /* an epoch serves this controller */
    uint32_t void_from, void_to; /* sent before an epoch */
    struct dev_timer settle;     /* sent frames are given back at the latest then */
    struct dev_timer throttle;   /* ITR */
    uint64_t interrupt_ns;       /* when the last one was */
    uint64_t malformed;
};

/* The interface has one pair, and bounce memory. */
void e1000_init(struct e1000 *card, struct pci_bus *bus, unsigned slot, uint8_t interrupt_line,
                struct net *net);

#endif
