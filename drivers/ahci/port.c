/* SPDX-License-Identifier: BSD-2-Clause */
/* A port's link and command engine: AHCI 1.3.1, "Software Initialization of HBA", "Software
 * Controlled Reset of the HBA and Ports". Each state waits for an interrupt or the clock; the
 * driver as a whole never waits for a port. */
#include "drivers/ahci/port.h"

#include <string.h>
#include "drivers/ahci/channel.h"
#include "drivers/ahci/hba.h"
#include "user/program.h"

#define STOP_NS    (500 * MS) /* CR and FR follow ST and FRE within that */
#define COMRESET   (2 * MS)   /* at least 1 ms */
#define LINK_NS    (1000 * MS)
#define SILENCE_NS (150 * MS)   /* a device shows itself within that */
#define SETTLE_NS  (30000 * MS) /* a disk that spins up */
#define POLL_NS    (10 * MS)
#define ATTEMPTS   4u
#define SIG_NO_FIS 0xffffffffu

uint32_t port_read(const struct port *port, uint32_t reg)
{
    return hba_read(port->hba, PORT_REGS(port->index) + reg);
}

void port_write(const struct port *port, uint32_t reg, uint32_t value)
{
    hba_write(port->hba, PORT_REGS(port->index) + reg, value);
}

void port_count(const struct port *port, enum ahci_disk_stat stat)
{
    port->hba->status->disk_stat[port->index][stat]++;
}

static void set_wake(struct port *port, uint64_t ns)
{
    port->wake_ns = ns;
    port->hba->timed |= 1u << port->index;
}

void port_wake_at(struct port *port, uint64_t ns)
{
    if (!port->wake_ns || ns < port->wake_ns)
        set_wake(port, ns);
}

static void enter(struct port *port, enum port_state state, uint64_t wake_in, uint64_t until)
{
    uint64_t now = port->hba->now;
    port->state = state;
    set_wake(port, wake_in ? now + wake_in : 0);
    port->until_ns = now + until;
    status_disk(port);
}

static bool late(const struct port *port)
{
    return port->hba->now >= port->until_ns;
}

void port_init(struct port *port, struct hba *hba, uint32_t index)
{
    uint64_t offset = AHCI_DMA_ZERO + (uint64_t)index * AHCI_DMA_PORT;
    _Static_assert(sizeof(struct port_dma) <= AHCI_DMA_PORT, "a port's structures fit");
    port->hba = hba;
    port->index = index;
    port->dma = (struct port_dma *)(hba->dma + offset);
    port->dma_base = hba->dma_base + offset;
    port->state = PORT_WAITING;
}

static void clear_events(const struct port *port)
{
    port_write(port, PORT_SERR, ~0u);
    port_write(port, PORT_IS, ~0u);
}

void port_start(struct port *port)
{
    uint64_t list = port->dma_base + offsetof(struct port_dma, header);
    uint64_t received = port->dma_base + offsetof(struct port_dma, received);
    port_write(port, PORT_CLB, (uint32_t)list);
    port_write(port, PORT_CLBU, (uint32_t)(list >> 32));
    port_write(port, PORT_FB, (uint32_t)received);
    port_write(port, PORT_FBU, (uint32_t)(received >> 32));
    clear_events(port);
    uint32_t cmd = port_read(port, PORT_CMD) & ~(CMD_ST | CMD_ALPE | CMD_ICC | CMD_ATAPI);
    port_write(port, PORT_CMD, cmd | CMD_FRE | CMD_SUD | CMD_POD | CMD_ACTIVE);
    port_write(port, PORT_IE, IS_ENABLED);
    port->attempts = 0;
    port_stop(port, true);
}

/* All of the port's requests, wherever they are. */
void port_end_all(struct port *port, enum blk_status status)
{
    uint32_t left = port->again & ~port->issued;
    port->again = 0;
    port->suspects = 0;
    for (uint32_t slot = 0; slot < 32; slot++) {
        if (left >> slot & 1)
            command_end(port, slot, status);
    }
    for (uint32_t i = 0; i < port->ring_count; i++)
        request_drop_pending(port->ring[i], status);
    port->flush_active = NULL;
    while (port->flush_waiting) {
        struct request *request = port->flush_waiting;
        port->flush_waiting = request->next;
        request_flushed(request, status);
    }
    port->stop_flush = false;
}

static void settled(struct port *port)
{
    if (!port->settled)
        port->hba->changed = true;
    port->settled = true;
    hba_spun_up(port->hba, port->index);
}

static void forget(struct port *port)
{
    port->hba->changed = true;
    port->present = false;
    for (uint32_t i = 0; i < port->ring_count; i++)
        channel_gone(port->ring[i]);
    port_end_all(port, BLK_GONE);
}

static void become_empty(struct port *port)
{
    bool was = port->present;
    port->probing = false;
    port->attempts = 0;
    enter(port, PORT_EMPTY, 0, 0);
    if (was) {
        log_line("port %u: %s, serial %s, was removed", port->index, port->disk.model,
                 port->disk.serial);
        port_count(port, AHCI_STAT_UNPLUGGED);
        forget(port);
        status_disk(port);
    }
    settled(port);
}

void port_give_up(struct port *port, const char *why)
{
    log_line("port %u: %s: it is given up until something else is plugged in", port->index, why);
    port->probing = port->hopeless = false;
    enter(port, PORT_FAILED, 0, 0);
    port->hba->changed = true;
    port_end_all(port, BLK_IO_ERROR);
    settled(port);
}

void port_try_again(struct port *port, const char *why)
{
    port->probing = false;
    if (++port->attempts < ATTEMPTS) {
        log_line("port %u: %s: the link is reset", port->index, why);
        settled(port); /* the other disks do not wait for this one */
        port_stop(port, true);
        return;
    }
    port_give_up(port, why);
}

void port_ready(struct port *port)
{
    bool same = port->known && disk_same(&port->disk, &port->found);
    if (port->known && !same && port->present)
        forget(port);
    port->disk = port->found;
    port->known = port->present = true;
    port->probing = false;
    port->attempts = 0;
    uint32_t slots = CAP_NCS(port->hba->cap);
    slots = port->disk.depth < slots ? port->disk.depth : slots;
    port->usable = slots == 32 ? ~0u : (1u << slots) - 1;
    if (!same)
        port->hba->status->disk[port->index].generation++;
    enter(port, PORT_READY, 0, 0);
    port->hba->changed = true;
    for (uint32_t i = 0; same && i < port->ring_count; i++)
        channel_present(port->ring[i]);
    settled(port);
    schedule_issue(port);
}

static void reset_link(struct port *port)
{
    if (port->known)
        port_count(port, AHCI_STAT_LINK_RESETS);
    port_write(port, PORT_SCTL, SCTL_NO_SLEEP | SCTL_DET_RESET);
    enter(port, PORT_RESETTING, COMRESET, COMRESET);
}

static void engine_stopped(struct port *port)
{
    uint32_t tfd = port_read(port, PORT_TFD);
    bool reset = port->reset_next || tfd & (TFD_BSY | TFD_DRQ);
    recovery_judge(port, reset);
    if (port->hopeless) {
        port_give_up(port, "nothing comes back from the disk");
        return;
    }
    if (reset) {
        reset_link(port);
        return;
    }
    clear_events(port);
    port_write(port, PORT_CMD, port_read(port, PORT_CMD) | CMD_ST);
    port->wake_ns = 0;
    if (port->probing)
        probe_go_on(port);
    else
        recovery_go_on(port);
}

static void check_stopped(struct port *port)
{
    if (!(port_read(port, PORT_CMD) & CMD_CR)) {
        engine_stopped(port);
    } else if (late(port)) {
        /* It may still write to memory: nothing can be ended before it surely does not. */
        log_line("port %u: the command engine does not stop: the controller is reset", port->index);
        hba_restart(port->hba);
    } else {
        set_wake(port, port->hba->now + MS);
    }
}

void port_stop(struct port *port, bool reset)
{
    port->again |= port->issued;
    port->issued = port->queued = 0;
    command_own_end(port);
    port->reset_next = reset;
    port_write(port, PORT_CMD, port_read(port, PORT_CMD) & ~CMD_ST);
    enter(port, PORT_STOPPING, MS, STOP_NS);
    check_stopped(port);
}

static void check_link(struct port *port)
{
    uint32_t det = SSTS_DET(port_read(port, PORT_SSTS));
    uint64_t silent_until = port->until_ns - LINK_NS + SILENCE_NS;
    /* One that comes later is plugged in. */
    bool silent = det == DET_NONE && !port->present && port->hba->now >= silent_until;
    if (det == DET_READY) {
        clear_events(port);
        enter(port, PORT_SETTLING, MS, SETTLE_NS);
    } else if (!silent && !late(port)) {
        set_wake(port, port->hba->now + POLL_NS);
    } else if (det == DET_PRESENT) {
        port_try_again(port, "a device is there, but the link does not come up");
    } else {
        become_empty(port);
    }
}

static void check_signature(struct port *port)
{
    uint32_t tfd = port_read(port, PORT_TFD);
    uint32_t signature = port_read(port, PORT_SIG);
    if (!(tfd & (TFD_BSY | TFD_DRQ)) && signature != SIG_NO_FIS) {
        port_write(port, PORT_CMD, port_read(port, PORT_CMD) | CMD_ST);
        hba_spun_up(port->hba, port->index);
        enter(port, PORT_IDENTIFYING, 0, 0);
        probe_start(port);
    } else if (late(port)) {
        port_try_again(port, "the device stays busy");
    } else {
        set_wake(port, port->hba->now + POLL_NS);
    }
}

static void look(struct port *port)
{
    switch (port->state) {
    case PORT_STOPPING:
        check_stopped(port);
        break;
    case PORT_RESETTING:
        if (!late(port)) {
            set_wake(port, port->until_ns);
            break;
        }
        port_write(port, PORT_SCTL, SCTL_NO_SLEEP);
        enter(port, PORT_LINKING, MS, LINK_NS);
        break;
    case PORT_LINKING:
        check_link(port);
        break;
    case PORT_SETTLING:
        check_signature(port);
        break;
    default:
        break;
    }
}

/* The link went down, or something was plugged in. True: nothing else matters. */
static bool link_changed(struct port *port)
{
    port_write(port, PORT_SERR, port_read(port, PORT_SERR));
    uint32_t det = SSTS_DET(port_read(port, PORT_SSTS));
    switch (port->state) {
    case PORT_WAITING:
    case PORT_RESETTING:
    case PORT_LINKING:
        return false; /* our own doing */
    case PORT_STOPPING:
        port->reset_next = true;
        return false;
    case PORT_EMPTY:
        if (det != DET_NONE)
            port_stop(port, true);
        return true;
    case PORT_FAILED:
        port->attempts = 0;
        port_stop(port, true);
        return true;
    default:
        log_line("port %u: the link has changed, it is reset", port->index);
        command_harvest(port, 0);
        if (port->state != PORT_STOPPING && port->state != PORT_RESETTING)
            port_stop(port, true);
        port->probing = false;
        return true;
    }
}

void port_interrupt(struct port *port)
{
    uint32_t is = port_read(port, PORT_IS);
    uint32_t error = is & (IS_FATAL | IS_STRANGE);
    port_write(port, PORT_IS, is);
    port_count(port, AHCI_STAT_INTERRUPTS);
    if (is & IS_LINK && link_changed(port))
        return;
    if (is & IS_INFS) /* the link has repaired it */
        port_write(port, PORT_SERR, port_read(port, PORT_SERR));
    if (port->state != PORT_READY && !port->own_issued) {
        look(port);
        return;
    }
    command_harvest(port, error);
    if (port->state != PORT_READY)
        return;
    if (error)
        recovery_start(port, error);
    else
        schedule_issue(port);
}

void port_timer(struct port *port)
{
    port->wake_ns = 0;
    if (port->own_issued) {
        command_harvest(port, 0);
        if (port->own_issued && port->hba->now >= port->own.deadline_ns)
            command_harvest(port, IS_TFES);
        if (port->own_issued)
            port_wake_at(port, port->hba->now + POLL_NS);
    } else if (port->state == PORT_READY) {
        recovery_watch(port);
    } else {
        look(port);
    }
}
