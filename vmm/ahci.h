/* SPDX-License-Identifier: BSD-2-Clause */
/* AHCI controller of a guest (Serial ATA AHCI 1.3.1), for guests without virtio: a port for each
 * SATA disk or drive. ahci.c: the controller's own registers and its interrupt; ahci_port.c: a
 * port's registers and its command list; ahci_data.c: commands' data; ata.c, atapi.c: the devices.
 *
 * What the guest lays in memory is copied once and then looked at. Data is never copied: pieces of
 * guest memory go to the disk (disk.h), which checks where they are. */
#ifndef VMM_AHCI_H
#define VMM_AHCI_H

#include "vmm/ata.h"
#include "vmm/disk.h"
#include "vmm/pci_msi.h"

#define AHCI_SLOTS 32u
#define AHCI_PORTS VMM_MAX_DISKS

struct ahci;

/* A command of the list that the device works on. */
struct ahci_command {
    struct ata_command ata;
    uint64_t header, table; /* guest-physical */
    uint32_t prds;          /* entries of its table */
    uint32_t prd, prd_skip; /* where its next byte lies: entry, bytes of it that are done */
    uint32_t moved;         /* bytes */
};

struct ahci_port {
    struct ahci *hba;
    struct disk *disk;
    uint8_t number;
    /* Registers. */
    uint64_t clb, fb;
    uint32_t is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
    /* Commands, a bit a slot. */
    uint32_t busy;   /* the disk works on it, or it waits for a limit */
    uint32_t ended;  /* of them, those whose request has ended: status[] */
    uint32_t lost;   /* of them, those that nobody waits for any more */
    uint32_t done;   /* queued ones that the guest is told of next */
    bool alone;      /* the command that is busy is not queued */
    bool stopped;    /* an error: nothing starts until PxCMD.ST has been cleared */
    bool failed;     /* a queued command: told when no other is in the disk's hands */
    bool held;       /* held_slot waits for a limit; `next` is what it asks */
    bool link_reset; /* the device answers when it has let go of all */
    bool soft_reset;
    uint8_t held_slot, next_slot;
    enum blk_status status[AHCI_SLOTS];
    struct ahci_command command[AHCI_SLOTS];
    struct disk_request next;
    struct ata_device ata;
};

struct ahci {
    struct machine *machine;
    struct pci_device pci;
    struct pci_msi msi;
    uint32_t ghc, is;
    uint32_t told; /* bits of `is` that a message has been sent for */
    uint32_t ports;
    struct ahci_port port[AHCI_PORTS];
};

/* disk[i] is behind port i; they have their backings. */
void ahci_init(struct ahci *ahci, struct pci_bus *bus, unsigned slot, uint8_t interrupt_line,
               struct disk *const *disk, unsigned ports);
/* Requests of the port's disk have ended: answers, and takes more. */
void ahci_event(struct ahci *ahci, unsigned port);

/* --- between ahci.c and ahci_port.c --- */
void ahci_port_init(struct ahci_port *port, struct ahci *hba, unsigned number, struct disk *disk);
uint32_t ahci_port_read(const struct ahci_port *port, unsigned offset);
void ahci_port_write(struct ahci_port *port, unsigned offset, uint32_t value);
/* As after power-on, when the disk has let go of guest memory. */
void ahci_port_reset(struct ahci_port *port);
void ahci_port_pump(struct ahci_port *port);
static inline bool ahci_port_is_idle(const struct ahci_port *port)
{
    return !port->busy;
}
/* The port's interrupt bits, or which of them count, have changed. */
void ahci_interrupt(struct ahci *ahci);

/* --- ahci_data.c --- */
/* The command's next part as port->next. False: its memory is not the guest's, or ends early. */
bool ahci_gather(struct ahci_port *port, struct ahci_command *command);
/* Between a buffer of ours and the command's memory; as much as there is room for. */
void ahci_copy(struct ahci_port *port, struct ahci_command *command, void *data, uint32_t size,
               bool to_guest);

#endif
