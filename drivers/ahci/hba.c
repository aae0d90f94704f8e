/* SPDX-License-Identifier: BSD-2-Clause */
/* AHCI 1.3.1, "Firmware Initialization", "System Software Specific Initialization", "BIOS/OS
 * Handoff". */
#include "drivers/ahci/hba.h"

#include "drivers/ahci/channel.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define BILL_EVERY 16u /* events */
#define RESET_MS   1000u
#define HANDOFF_MS 25u
#define BUSY_MS    2000u

static bool wait_clear(const struct hba *hba, uint32_t reg, uint32_t bits, uint32_t ms)
{
    uint64_t until = time_ns() + ms * MS;
    while (hba_read(hba, reg) & bits) {
        if (time_ns() >= until)
            return false;
        hba_pause(hba);
    }
    return true;
}

static void take_from_firmware(const struct hba *hba)
{
    if (!(hba_read(hba, HBA_CAP2) & CAP2_BOH))
        return;
    hba_write(hba, HBA_BOHC, hba_read(hba, HBA_BOHC) | BOHC_OOS);
    if (wait_clear(hba, HBA_BOHC, BOHC_BOS, HANDOFF_MS))
        return;
    if (!(hba_read(hba, HBA_BOHC) & BOHC_BB) || !wait_clear(hba, HBA_BOHC, BOHC_BOS, BUSY_MS))
        log_line("the firmware does not give the controller up: it is taken");
}

static bool reset_controller(struct hba *hba)
{
    hba_write(hba, HBA_GHC, GHC_AE);
    hba_write(hba, HBA_GHC, GHC_AE | GHC_HR);
    if (!wait_clear(hba, HBA_GHC, GHC_HR, RESET_MS))
        return false;
    hba_write(hba, HBA_GHC, GHC_AE);
    return true;
}

const char *hba_reset(struct hba *hba)
{
    hba_write(hba, HBA_GHC, GHC_AE);
    take_from_firmware(hba);
    /* Set by the firmware; some controllers forget them at a reset. */
    hba->cap = hba_read(hba, HBA_CAP);
    hba->ports = hba_read(hba, HBA_PI);
    if (hba->cap == ~0u || hba->size < PORT_REGS(1))
        return "there is no controller behind its registers";
    for (uint32_t i = 0; i < AHCI_PORTS; i++) {
        if (PORT_REGS(i + 1) > hba->size)
            hba->ports &= ~(1u << i);
    }
    if (!hba->ports)
        return "it has no ports";
    if (!(hba->cap & CAP_S64A) && hba->dma_base + AHCI_DMA_BYTES > 1ull << 32)
        return "it reaches 4 GiB only, and its memory lies beyond";
    if (!reset_controller(hba))
        return "it does not end its reset";
    hba->status->ports = hba->ports;
    for (uint32_t i = 0; i < AHCI_PORTS; i++)
        port_init(&hba->port[i], hba, i);
    return NULL;
}

static void start_next(struct hba *hba)
{
    while (hba->unstarted && (!(hba->cap & CAP_SSS) || !hba->spinning)) {
        uint32_t index = (uint32_t)__builtin_ctz(hba->unstarted);
        hba->unstarted &= hba->unstarted - 1;
        hba->spinning |= 1u << index;
        port_start(&hba->port[index]);
    }
}

void hba_spun_up(struct hba *hba, uint32_t index)
{
    hba->spinning &= ~(1u << index);
}

static void tell(struct hba *hba)
{
    start_next(hba);
    while (hba->tell) {
        uint32_t index = (uint32_t)__builtin_ctzll(hba->tell);
        hba->tell &= hba->tell - 1;
        if (hba->channel[index])
            channel_tell(hba->channel[index]);
    }
}

/* Who has been the only one for a while gets a bill for several events. */
void hba_bill(struct hba *hba, const struct channel *c)
{
    if (hba->payer == c && hba->streak >= BILL_EVERY && ++hba->streak % BILL_EVERY)
        return;
    if (hba->payer != c) {
        hba_unbill(hba, hba->payer);
        hba->payer = c;
        hba->streak = 0;
    }
    if (hba->streak < BILL_EVERY)
        hba->streak++;
    sys_sc_bill(c->notif);
}

void hba_unbill(struct hba *hba, const struct channel *c)
{
    if (!c || hba->payer != c)
        return;
    if (hba->streak > BILL_EVERY && hba->streak % BILL_EVERY)
        sys_sc_bill(c->notif);
    hba->payer = NULL;
}

void hba_start(struct hba *hba)
{
    hba->now = time_ns();
    hba->unstarted = hba->ports;
    hba->spinning = 0;
    hba_write(hba, HBA_IS, ~0u);
    hba_write(hba, HBA_GHC, GHC_AE | GHC_IE);
    tell(hba);
}

void hba_restart(struct hba *hba)
{
    for (uint32_t i = 0; i < AHCI_PORTS; i++) {
        struct port *port = &hba->port[i];
        port->again |= port->issued;
        port->issued = port->queued = 0;
        command_own_end(port);
        port->read_log = false;
        port->state = PORT_WAITING;
        port->wake_ns = 0;
    }
    if (!reset_controller(hba))
        fatal("the controller does not end its reset");
    hba->unstarted = hba->ports;
    hba->spinning = 0;
    hba_write(hba, HBA_IS, ~0u);
    hba_write(hba, HBA_GHC, GHC_AE | GHC_IE);
}

void hba_interrupt(struct hba *hba)
{
    uint32_t is = hba_read(hba, HBA_IS) & hba->ports;
    hba->now = time_ns();
    hba->status->interrupts++;
    for (uint32_t left = is; left; left &= left - 1)
        port_interrupt(&hba->port[__builtin_ctz(left)]);
    /* After the ports': what a port still has to tell sets its bit, and the interrupt, again. */
    if (is)
        hba_write(hba, HBA_IS, is);
    tell(hba);
}

void hba_timer(struct hba *hba)
{
    hba->now = time_ns();
    hba->status->timers++;
    for (uint32_t left = hba->ports; left; left &= left - 1) {
        struct port *port = &hba->port[__builtin_ctz(left)];
        if (port->wake_ns && port->wake_ns <= hba->now)
            port_timer(port);
    }
    tell(hba);
}

void hba_doorbells(struct hba *hba, uint64_t bits)
{
    hba->now = time_ns();
    for (bits /= AHCI_BIT_CHANNEL(0); bits; bits &= bits - 1) {
        uint32_t index = (uint32_t)__builtin_ctzll(bits);
        struct channel *c = index < AHCI_CHANNELS ? hba->channel[index] : NULL;
        if (!c)
            continue;
        channel_take(c);
        schedule_issue(c->port);
        hba_bill(hba, c);
    }
    tell(hba);
}

uint64_t hba_wake(struct hba *hba)
{
    uint64_t wake = 0;
    for (uint32_t left = hba->timed; left; left &= left - 1) {
        uint32_t index = (uint32_t)__builtin_ctz(left);
        uint64_t at = hba->port[index].wake_ns;
        if (!at)
            hba->timed &= ~(1u << index);
        else if (!wake || at < wake)
            wake = at;
    }
    return wake;
}

bool hba_settled(const struct hba *hba)
{
    for (uint32_t left = hba->ports; left; left &= left - 1) {
        if (!hba->port[__builtin_ctz(left)].settled)
            return false;
    }
    return true;
}

void hba_stop(struct hba *hba)
{
    hba->now = time_ns();
    hba->stopping = true;
    for (uint32_t left = hba->ports; left; left &= left - 1) {
        struct port *port = &hba->port[__builtin_ctz(left)];
        port->stop_flush = port->present && port->disk.cache && !port->disk.packet &&
                           port->state != PORT_FAILED && port->state != PORT_EMPTY;
        schedule_issue(port);
    }
    tell(hba);
}

bool hba_stopped(const struct hba *hba)
{
    for (uint32_t left = hba->stopping ? hba->ports : 0; left; left &= left - 1) {
        const struct port *port = &hba->port[__builtin_ctz(left)];
        if (port->stop_flush || port->stop_flushing)
            return false;
    }
    return hba->stopping;
}
