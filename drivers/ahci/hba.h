/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller. The code below knows no system calls but notif_signal and sc_bill: a process
 * (main.c) or a test with a simulated controller tells it of interrupts, time and jobs. */
#ifndef DRIVERS_AHCI_HBA_H
#define DRIVERS_AHCI_HBA_H

#include "drivers/ahci/port.h"
#include "user/bell.h"

struct hba {
    void *registers; /* for hba_read() and hba_write() */
    uint8_t *dma;    /* AHCI_DMA_BYTES */
    uint64_t dma_base;
    struct ahci_status *status;
    uint64_t size;       /* bytes of registers */
    uint32_t cap, ports; /* ports: bits of those that are there */
    uint64_t now;        /* ns, of the event being handled */
    uint32_t spinning;   /* staggered spin-up: bits of ports that have their turn */
    uint32_t unstarted;  /* and of those that wait for it */
    bool changed;        /* disks: to be told to the manager */
    bool stopping;       /* nothing more is taken from channels */
    uint32_t timed;      /* ports whose wake_ns may be set */
    uint64_t tell;       /* bits of channels whose clients are to be told */
    struct bell *bell;   /* by which they are; NULL: at once */
    /* Whose work is being done, and for how many events in a row: hba_bill(). */
    const struct channel *payer;
    uint32_t streak;
    struct port port[AHCI_PORTS];
    struct channel *channel[AHCI_CHANNELS];
};

/* By main.c: 32-bit accesses to the registers. */
uint32_t hba_read(const struct hba *hba, uint32_t reg);
void hba_write(const struct hba *hba, uint32_t reg, uint32_t value);
/* By main.c: lets some time pass, at most 1 ms. Only before the controller is up. */
void hba_pause(const struct hba *hba);

/* Takes the controller from the firmware, resets it. Nothing runs then, no interrupt comes. NULL,
 * or why it cannot be used. registers, dma, dma_base, status are set. */
const char *hba_reset(struct hba *hba);
/* Starts all ports. Disks appear while events are handled. */
void hba_start(struct hba *hba);
/* The events. All of them leave hba_wake() up to date, and the clients told. */
void hba_interrupt(struct hba *hba);
void hba_timer(struct hba *hba);
void hba_doorbells(struct hba *hba, uint64_t bits); /* AHCI_BIT_CHANNEL() of the notification */
/* When hba_timer() wants to be called, ns; 0: not at all. */
uint64_t hba_wake(struct hba *hba);
/* All ports have been looked at once. */
bool hba_settled(const struct hba *hba);
/* No more requests are taken; volatile caches are written. True when that is done. */
void hba_stop(struct hba *hba);
bool hba_stopped(const struct hba *hba);
/* The whole controller anew, since a port cannot be stopped. */
void hba_restart(struct hba *hba);
/* What was done until now was work for this channel's client. */
void hba_bill(struct hba *hba, const struct channel *channel);
/* The channel goes: nothing is owed by it any more. */
void hba_unbill(struct hba *hba, const struct channel *channel);
/* The next port's turn to spin up, if this one had it. */
void hba_spun_up(struct hba *hba, uint32_t index);

#endif
