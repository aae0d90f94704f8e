/* SPDX-License-Identifier: BSD-2-Clause */
/* When a command fails the controller stops the port, and with it all other commands. AHCI 1.3.1,
 * "Error Recovery": the engine is stopped, the link reset if the device hangs, and what was in
 * flight is issued again. Only the command that failed counts it. With NCQ the disk's log names
 * that one; where nothing names it, what was in flight is issued one by one until it shows. */
#include "drivers/ahci/channel.h"
#include "drivers/ahci/hba.h"

#include <string.h>
#include "user/program.h"

#define WATCH_NS      (1000 * MS)
#define FAILURES_MAX  6u
#define WEIGHT_LINK   1u /* a link may be bad for a moment */
#define WEIGHT_DEVICE 2u
#define SILENT_MAX    8u

#define LOG_NOT_QUEUED 0x80u
#define LOG_TAG        0x1fu
#define ERROR_CRC      0x80u /* error register: ICRC */

static const char *kind_name(const struct command *c)
{
    static const char *const name[] = {"read", "write", "flush", "trim", "own command"};
    return name[c->kind];
}

/* Counts against a command. Its end waits until the controller can touch its memory no more. */
static void blame(struct port *port, uint32_t slot, uint32_t weight, const char *what,
                  uint32_t status, uint32_t error)
{
    struct command *c = &port->command[slot];
    port_count(port, AHCI_STAT_ERRORS);
    /* A flush that failed has dropped what could not be written: doing it again would lie. */
    if (c->kind == COMMAND_FLUSH && weight == WEIGHT_DEVICE)
        weight = FAILURES_MAX;
    c->failures = (uint8_t)(c->failures + weight);
    log_line("port %u: %s, LBA %llu, %u blocks: %s (status %02x, error %02x), %s", port->index,
             kind_name(c), (unsigned long long)c->lba, c->blocks, what, status, error,
             c->failures < FAILURES_MAX ? "it is tried again" : "given up");
    port->blamed |= 1u << slot;
}

static bool alone(uint32_t slots)
{
    return slots && !(slots & (slots - 1));
}

static const char *reason(uint32_t is)
{
    if (!is)
        return "no answer";
    if (is & IS_TFES)
        return "the disk reports an error";
    if (is & (IS_HBFS | IS_HBDS))
        return "the controller cannot reach memory";
    return "an error on the link";
}

/* One of the victims: that one if it was alone, else all of them are watched. */
static void accuse(struct port *port, uint32_t is)
{
    uint32_t tfd = port_read(port, PORT_TFD);
    bool link = is & (IS_IFS | IS_STRANGE) && !(is & IS_TFES);
    if (is & IS_TFES && TFD_ERROR(tfd) & ERROR_CRC)
        link = true;
    port->suspects |= port->victims;
    if (alone(port->victims))
        blame(port, (uint32_t)__builtin_ctz(port->victims), link ? WEIGHT_LINK : WEIGHT_DEVICE,
              reason(is), tfd & 0xff, TFD_ERROR(tfd));
    else if (port->victims)
        log_line("port %u: %s, %u commands were in flight", port->index, reason(is),
                 (uint32_t)__builtin_popcount(port->victims));
}

void recovery_start(struct port *port, uint32_t is)
{
    port_count(port, AHCI_STAT_RECOVERIES);
    port->victims = port->issued;
    port->read_log = is & IS_TFES && !(port->issued & ~port->queued) && port->issued;
    if (!port->read_log)
        accuse(port, is);
    /* What came without a task-file error has left disk and controller in a state unknown. */
    port_stop(port, !(is & IS_TFES));
}

void recovery_judge(struct port *port, bool reset)
{
    /* A link reset makes the disk forget its log. */
    if (reset && port->read_log) {
        port->read_log = false;
        accuse(port, IS_TFES);
    }
    uint32_t judged = port->blamed & port->again;
    port->blamed = 0;
    port->victims &= port->again;
    while (judged) {
        uint32_t slot = (uint32_t)__builtin_ctz(judged);
        judged &= judged - 1;
        if (port->command[slot].failures >= FAILURES_MAX)
            command_end(port, slot, BLK_IO_ERROR);
    }
}

void recovery_go_on(struct port *port)
{
    if (!port->read_log) {
        port->state = PORT_READY;
        status_disk(port);
        schedule_issue(port);
        return;
    }
    struct fis_h2d fis = command_fis(ATA_READ_LOG_EXT, ATA_LOG_NCQ_ERROR, 1);
    port->state = PORT_LOG;
    memset(port->dma->log, 0, sizeof(port->dma->log));
    command_own(port, &fis, offsetof(struct port_dma, log), sizeof(port->dma->log));
}

/* ACS-3, "NCQ Command Error log". */
static bool log_names(struct port *port, const uint8_t *log)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < sizeof(port->dma->log); i++)
        sum = (uint8_t)(sum + log[i]);
    uint32_t slot = log[0] & LOG_TAG;
    if (sum || log[0] & LOG_NOT_QUEUED || !(port->victims >> slot & 1))
        return false;
    uint32_t weight = log[3] & ERROR_CRC ? WEIGHT_LINK : WEIGHT_DEVICE;
    blame(port, slot, weight, "the disk reports an error", log[2], log[3]);
    return true;
}

void recovery_log_done(struct port *port, bool ok)
{
    uint8_t log[sizeof(port->dma->log)];
    memcpy(log, port->dma->log, sizeof(log));
    port->read_log = false;
    if (ok && log_names(port, log)) {
        recovery_judge(port, false);
        port->state = PORT_READY;
        status_disk(port);
        schedule_issue(port);
        return;
    }
    /* A disk that has not been asked successfully refuses all else: only a reset helps. */
    accuse(port, IS_TFES);
    port_stop(port, true);
}

static uint32_t expired(struct port *port)
{
    uint32_t late = 0;
    for (uint32_t left = port->issued; left; left &= left - 1) {
        uint32_t slot = (uint32_t)__builtin_ctz(left);
        if (port->hba->now >= port->command[slot].deadline_ns)
            late |= 1u << slot;
    }
    return late;
}

void recovery_watch(struct port *port)
{
    if (!port->issued)
        return;
    uint32_t before = port->busy;
    if (port_read(port, PORT_IS) & IS_ENABLED)
        port_interrupt(port);
    else
        command_harvest(port, 0);
    if (port->busy != before)
        port_count(port, AHCI_STAT_LOST);
    if (port->state != PORT_READY)
        return;
    uint32_t late = expired(port);
    if (!late) {
        schedule_issue(port);
        if (port->issued)
            port_wake_at(port, port->hba->now + WATCH_NS);
        return;
    }
    for (uint32_t left = late; left; left &= left - 1)
        port_count(port, AHCI_STAT_TIMEOUTS);
    port->hopeless = ++port->silent >= SILENT_MAX;
    recovery_start(port, 0);
}
