/* SPDX-License-Identifier: BSD-2-Clause */
/* One port: link, disk, commands. All of it is driven by hba.c; nothing here waits. */
#ifndef DRIVERS_AHCI_PORT_H
#define DRIVERS_AHCI_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/ahci/ata.h"
#include "drivers/ahci/disk.h"
#include "drivers/ahci/protocol.h"
#include "drivers/ahci/registers.h"

#define MS 1000000ull /* ns */

struct hba;
struct channel;
struct request;

enum port_state {
    PORT_WAITING,     /* for its turn to spin up */
    PORT_EMPTY,       /* no device; an interrupt tells when one comes */
    PORT_STOPPING,    /* the command engine: CR is still set */
    PORT_RESETTING,   /* COMRESET is on the wire */
    PORT_LINKING,     /* until the link is up */
    PORT_SETTLING,    /* until the device has sent its signature */
    PORT_IDENTIFYING, /* probe.c asks it */
    PORT_READY,
    PORT_LOG,   /* the NCQ error log is read */
    PORT_FAILED /* a device that does not answer */
};

enum command_kind { COMMAND_READ, COMMAND_WRITE, COMMAND_FLUSH, COMMAND_TRIM, COMMAND_OWN };

struct command {
    struct request *request; /* NULL: a flush, for all that wait for one; or the port's own */
    uint64_t deadline_ns;
    uint64_t lba;
    uint32_t blocks;
    uint8_t kind; /* enum command_kind */
    uint8_t failures;
};

enum probe_step {
    PROBE_IDENTIFY,
    PROBE_IDENTIFY_PACKET,
    PROBE_CAPACITY,
    PROBE_SENSE /* clears what keeps a packet device from answering */
};

struct port {
    struct hba *hba;
    uint32_t index;
    enum port_state state;
    bool reset_next;   /* STOPPING: then a COMRESET; else the engine starts again */
    bool read_log;     /* STOPPING: then the log tells which queued command has failed */
    uint32_t attempts; /* resets in a row that did not end in READY */
    uint32_t silent;   /* time-outs in a row */
    bool hopeless;     /* STOPPING: then the port is given up */
    uint64_t wake_ns;  /* 0: none */
    uint64_t until_ns; /* the state's end */

    struct port_dma *dma;
    uint64_t dma_base;
    struct disk disk, found; /* found: while it is being identified */
    bool known;              /* `disk` is one */
    bool present;            /* and it is there */
    bool settled;            /* was looked at once */
    bool probing;            /* found is not `disk` yet */
    enum probe_step step;
    uint32_t probe_tries;

    /* Bits of slots. */
    uint32_t usable;   /* as many as controller and disk take */
    uint32_t busy;     /* have a command */
    uint32_t issued;   /* which is with the controller */
    uint32_t queued;   /* of those, NCQ */
    uint32_t again;    /* which is to be issued again */
    uint32_t victims;  /* were issued when the port stopped last */
    uint32_t suspects; /* one of which stopped it: issued one by one */
    uint32_t blamed;   /* which has stopped it */
    struct command command[32];
    struct command own; /* in slot 0, whose header is saved meanwhile */
    bool own_issued;
    struct command_header saved;

    struct request *flush_waiting, *flush_active; /* by request.next */
    uint32_t flush_credit;                        /* commands that go before the next flush */
    bool stop_flush, stop_flushing;               /* one for the driver's own end; is issued */

    struct channel *ring[AHCI_CHANNELS];
    uint32_t ring_count, turn;
};

/* --- port.c: link and engine --- */
void port_init(struct port *port, struct hba *hba, uint32_t index);
uint32_t port_read(const struct port *port, uint32_t reg);
void port_write(const struct port *port, uint32_t reg, uint32_t value);
void port_count(const struct port *port, enum ahci_disk_stat stat);
void port_start(struct port *port);
void port_interrupt(struct port *port);
void port_timer(struct port *port); /* wake_ns has come */
/* Wants port_timer() at that time, or earlier. */
void port_wake_at(struct port *port, uint64_t ns);
/* Stops the engine, then resets the link, or only starts the engine again. Commands stay. */
void port_stop(struct port *port, bool reset);
/* A reset did not help: another one, or the end. */
void port_try_again(struct port *port, const char *why);
/* The device cannot be used. */
void port_give_up(struct port *port, const char *why);
/* The disk is there and known. */
void port_ready(struct port *port);
/* Whatever waits for the disk ends with that status. */
void port_end_all(struct port *port, enum blk_status status);

/* --- probe.c --- */
void probe_start(struct port *port);
/* The engine runs again after a command of the probe has failed. */
void probe_go_on(struct port *port);
void probe_done(struct port *port, bool ok); /* the own command has ended */

/* --- command.c --- */
/* Takes the own command's place back. */
void command_own_end(struct port *port);
/* Gives the command built in the slot's table to the controller. */
void command_issue(struct port *port, uint32_t slot);
/* The port's own commands, in slot 0 while nothing else runs. bytes: to `offset` of struct
 * port_dma.
 */
void command_own(struct port *port, const struct fis_h2d *fis, uint32_t offset, uint32_t bytes);
void command_own_packet(struct port *port, const uint8_t *packet, uint32_t offset, uint32_t bytes);
/* Fills the table of a free slot with the next part of a request; the slot, busy. */
uint32_t command_build(struct port *port, struct request *request);
uint32_t command_build_flush(struct port *port);
struct fis_h2d command_fis(uint32_t command, uint64_t lba, uint32_t count);
/* Takes what the controller has done. error: bits of PxIS that tell of one. */
void command_harvest(struct port *port, uint32_t error);
/* One has ended. The slot is free then. */
void command_end(struct port *port, uint32_t slot, enum blk_status status);

/* --- recovery.c --- */
/* The engine stands, or must be stopped: PxIS says why, 0: a time-out. */
void recovery_start(struct port *port, uint32_t is);
/* The engine has stopped: commands that failed too often end. reset: the link is next. */
void recovery_judge(struct port *port, bool reset);
/* The engine runs again after port_stop(..., false). */
void recovery_go_on(struct port *port);
void recovery_log_done(struct port *port, bool ok);
/* Time-outs and lost interrupts. */
void recovery_watch(struct port *port);

/* --- schedule.c --- */
void schedule_issue(struct port *port);
void schedule_flush(struct port *port, struct request *request);
void schedule_flushed(struct port *port, enum blk_status status);

/* --- status.c --- */
void status_disk(struct port *port);

#endif
