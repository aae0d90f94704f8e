/* SPDX-License-Identifier: BSD-2-Clause */
/* A port: AHCI 1.3.1, "Port Registers", "System Memory Structures", "Port Operation". */
#include <string.h>
#include "vmm/ahci.h"

#define PX_CLB  0x00u
#define PX_CLBU 0x04u
#define PX_FB   0x08u
#define PX_FBU  0x0cu
#define PX_IS   0x10u
#define PX_IE   0x14u
#define PX_CMD  0x18u
#define PX_TFD  0x20u
#define PX_SIG  0x24u
#define PX_SSTS 0x28u
#define PX_SCTL 0x2cu
#define PX_SERR 0x30u
#define PX_SACT 0x34u
#define PX_CI   0x38u

#define IS_DHRS (1u << 0)
#define IS_PSS  (1u << 1)
#define IS_SDBS (1u << 3)
#define IS_PCS  (1u << 6)  /* is PxSERR.DIAG.X */
#define IS_PRCS (1u << 22) /* is PxSERR.DIAG.N */
#define IS_HBFS (1u << 29)
#define IS_TFES (1u << 30)
#define IS_KEPT (0xfd8000afu & ~IS_PRCS)

#define CMD_ST       (1u << 0)
#define CMD_SUD      (1u << 1)
#define CMD_POD      (1u << 2)
#define CMD_CLO      (1u << 3)
#define CMD_FRE      (1u << 4)
#define CMD_CCS      8u
#define CMD_CCS_MASK (31u << CMD_CCS)
#define CMD_FR       (1u << 14)
#define CMD_CR       (1u << 15)
#define CMD_ATAPI    (1u << 24)
#define CMD_DLAE     (1u << 25)
#define CMD_WRITABLE (CMD_ST | CMD_FRE | CMD_ATAPI | CMD_DLAE)

#define SSTS_UP      0x133u /* device present, 6 Gbit/s, active */
#define SSTS_OFFLINE 0x004u
#define SCTL_DET     0x00fu
#define DET_RESET    1u
#define DET_OFFLINE  4u
#define SERR_N       (1u << 16)
#define SERR_X       (1u << 26)
#define TFD_NO_LINK  0x7fu

#define FIS_REG_H2D  0x27u
#define FIS_REG_D2H  0x34u
#define FIS_PIO      0x5fu
#define FIS_SDB      0xa1u
#define FIS_I        0x40u
#define FIS_C        0x80u
#define CONTROL_SRST 0x04u

#define RECEIVED_PIO 0x20u
#define RECEIVED_REG 0x40u
#define RECEIVED_SDB 0x58u

#define HEADER_SIZE  32u
#define HEADER_PRDBC 4u
#define TABLE_FIXED  0x50u /* the command FIS and the packet */
#define TABLE_PACKET 0x40u
#define ATA_PACKET   0xa0u
#define PACKET_DONE  3u /* interrupt reason: status */

#define ROUND 256u /* requests at a time */

struct slot_header {
    uint32_t flags, prdbc, table, table_high, reserved[4];
};

/* --- what the device sends --- */

static void port_receive(struct ahci_port *port, uint32_t offset, const uint8_t *fis, uint32_t size)
{
    uint8_t *to = guest_ptr(port->hba->machine, port->fb + offset, size);
    if (port->cmd & CMD_FRE && to)
        memcpy(to, fis, size);
}

static void send_register(struct ahci_port *port, const struct ata_command *ata, bool interrupt)
{
    uint8_t fis[20] = {FIS_REG_D2H,
                       (uint8_t)(interrupt ? FIS_I : 0),
                       (uint8_t)port->tfd,
                       (uint8_t)(port->tfd >> 8),
                       [7] = ata->device,
                       [12] = (uint8_t)ata->count,
                       (uint8_t)(ata->count >> 8)};
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(ata->lba >> 8 * i);
        fis[8 + i] = (uint8_t)(ata->lba >> (24 + 8 * i));
    }
    port_receive(port, RECEIVED_REG, fis, sizeof fis);
    if (interrupt)
        port->is |= IS_DHRS;
}

static void send_pio(struct ahci_port *port, const struct ahci_command *command)
{
    const struct ata_command *ata = &command->ata;
    uint8_t fis[20] = {FIS_PIO,
                       0x20 | FIS_I,
                       ATA_READY | ATA_DRQ,
                       0,
                       [7] = ata->device,
                       [12] = (uint8_t)ata->count,
                       [15] = ATA_READY,
                       [16] = (uint8_t)command->moved,
                       (uint8_t)(command->moved >> 8)};
    for (unsigned i = 0; i < 3; i++)
        fis[4 + i] = (uint8_t)(ata->lba >> 8 * i);
    port_receive(port, RECEIVED_PIO, fis, sizeof fis);
    port->is |= IS_PSS;
}

static void send_bits(struct ahci_port *port, uint32_t done)
{
    uint8_t fis[8] = {FIS_SDB, FIS_I, (uint8_t)(port->tfd & 0x77u), (uint8_t)(port->tfd >> 8)};
    memcpy(fis + 4, &done, 4);
    port->sact &= ~done;
    port_receive(port, RECEIVED_SDB, fis, sizeof fis);
    port->is |= IS_SDBS;
}

/* The device tells what it is, at the end of a reset. */
static void send_signature(struct ahci_port *port)
{
    struct ata_command ata = {.count = 1};
    port->sig = port->ata.is_atapi ? ATA_SIGNATURE_ATAPI : ATA_SIGNATURE;
    port->tfd = 0x100u | (port->ata.is_atapi ? 0 : ATA_READY);
    ata.lba = port->sig >> 8;
    send_register(port, &ata, false);
}

/* --- the end of commands --- */

static void put_moved(const struct ahci_port *port, const struct ahci_command *command)
{
    uint8_t *to = guest_ptr(port->hba->machine, command->header + HEADER_PRDBC, 4);
    if (to)
        memcpy(to, &command->moved, 4);
}

static bool is_packet(const struct ahci_command *command)
{
    return command->ata.command == ATA_PACKET;
}

static void port_finish(struct ahci_port *port, unsigned slot)
{
    struct ahci_command *command = &port->command[slot];
    port->tfd = ATA_READY;
    if (command->ata.queued) {
        port->done |= 1u << slot;
        return;
    }
    put_moved(port, command);
    port->ci &= ~(1u << slot);
    if (is_packet(command))
        command->ata.count = PACKET_DONE;
    if (command->ata.pio && !is_packet(command))
        send_pio(port, command);
    else
        send_register(port, &command->ata, true);
}

/* A queued command that fails ends all others: they wait until the disk has let go of them. */
static void port_fail(struct ahci_port *port, unsigned slot, uint8_t error)
{
    struct ahci_command *command = &port->command[slot];
    if (command->ata.queued) {
        if (!port->failed)
            ata_keep_error(port, &command->ata, slot, error);
        port->failed = true;
        return;
    }
    port->stopped = true;
    port->tfd = (uint32_t)error << 8 | ATA_READY | ATA_ERR;
    if (is_packet(command))
        command->ata.count = PACKET_DONE;
    put_moved(port, command);
    send_register(port, &command->ata, true);
    port->is |= IS_TFES;
}

/* What the guest has laid is not in its memory. */
static void fail_memory(struct ahci_port *port)
{
    port->stopped = true;
    port->is |= IS_HBFS;
}

/* What has ended is told, all at once. */
static void tell_queued(struct ahci_port *port)
{
    if (port->done)
        send_bits(port, port->done);
    port->done = 0;
    if (!port->failed || port->busy)
        return;
    port->failed = false;
    port->stopped = true;
    port->tfd = (uint32_t)port->ata.error_log[3] << 8 | ATA_READY | ATA_ERR;
    send_bits(port, 0);
    port->is |= IS_TFES;
}

/* --- requests of the disk --- */

static void port_submit(struct ahci_port *port, unsigned slot)
{
    port->held = disk_submit(port->disk, &port->next, slot) == DISK_DELAYED;
    port->held_slot = (uint8_t)slot;
}

static void let_go(struct ahci_port *port, unsigned slot)
{
    port->busy &= ~(1u << slot);
    if (!port->busy)
        port->alone = false;
}

/* The command's next request, or its end. */
static void port_continue(struct ahci_port *port, unsigned slot)
{
    struct ahci_command *command = &port->command[slot];
    const struct ata_command *ata = &command->ata;
    bool moves_data = ata->op <= BLK_WRITE;
    bool more = moves_data ? ata->left != 0 : ata_next(port, command);
    if (!more) {
        let_go(port, slot);
        port_finish(port, slot);
    } else if (moves_data && !ahci_gather(port, command)) {
        let_go(port, slot);
        fail_memory(port);
    } else {
        port->next.op = ata->op;
        port->next.durable = ata->durable;
        port_submit(port, slot);
    }
}

static void take_ended(struct ahci_port *port)
{
    unsigned slot = (unsigned)__builtin_ctz(port->ended);
    uint32_t bit = 1u << slot;
    enum blk_status status = port->status[slot];
    port->ended &= ~bit;
    if (port->lost & bit) {
        port->lost &= ~bit;
        let_go(port, slot);
    } else if (status != BLK_OK) {
        let_go(port, slot);
        port_fail(port, slot, ata_error(port, &port->command[slot].ata, status));
    } else if (port->stopped) { /* the port's memory is not looked at any more */
        let_go(port, slot);
    } else {
        port_continue(port, slot);
    }
}

/* While a request is held, port->next is its. */
static bool can_take(const struct ahci_port *port)
{
    return port->ended && !port->held;
}

static void port_ended(void *owner, uint32_t tag, enum blk_status status)
{
    struct ahci_port *port = owner;
    port->status[tag] = status;
    port->ended |= 1u << tag;
}

/* --- the command list --- */

static void port_decode(struct ata_command *ata, const uint8_t *fis)
{
    *ata = (struct ata_command){.command = fis[2],
                                .device = fis[7],
                                .features = (uint16_t)(fis[3] | fis[11] << 8),
                                .count = (uint16_t)(fis[12] | fis[13] << 8)};
    for (unsigned i = 0; i < 3; i++)
        ata->lba |= (uint64_t)fis[4 + i] << 8 * i | (uint64_t)fis[8 + i] << (24 + 8 * i);
    memcpy(ata->packet, fis + TABLE_PACKET, sizeof ata->packet);
    ata->queued = ata_is_queued(ata->command);
}

/* Copies a slot. False: it does not lie in memory. */
static bool port_fetch(const struct ahci_port *port, unsigned slot, struct ahci_command *command,
                       uint8_t fis[TABLE_FIXED])
{
    const struct machine *machine = port->hba->machine;
    uint64_t at = port->clb + (uint64_t)slot * HEADER_SIZE;
    const void *from = guest_ptr(machine, at, HEADER_SIZE);
    struct slot_header header;
    if (!from)
        return false;
    memcpy(&header, from, sizeof header);
    uint64_t table = (uint64_t)header.table_high << 32 | (header.table & ~0x7fu);
    from = guest_ptr(machine, table, TABLE_FIXED);
    if (!from)
        return false;
    memcpy(fis, from, TABLE_FIXED);
    *command = (struct ahci_command){.header = at, .table = table, .prds = header.flags >> 16};
    port_decode(&command->ata, fis);
    return fis[0] == FIS_REG_H2D;
}

/* A write of the device control register: software reset, by its two halves. */
static void port_control(struct ahci_port *port, unsigned slot, uint8_t value)
{
    bool was = port->soft_reset;
    port->ci &= ~(1u << slot);
    port->soft_reset = value & CONTROL_SRST;
    if (was && !port->soft_reset) {
        ata_reset(port);
        send_signature(port);
    }
}

static void port_begin(struct ahci_port *port, unsigned slot)
{
    struct ahci_command *command = &port->command[slot];
    uint32_t bit = 1u << slot;
    if (command->ata.queued)
        port->ci &= ~bit; /* the device has taken it; PxSACT says how long it works on it */
    switch (ata_begin(port, command)) {
    case ATA_DONE:
        port_finish(port, slot);
        break;
    case ATA_FAILED:
        port_fail(port, slot, port->ata.error);
        break;
    case ATA_TO_DISK:
        port->busy |= bit;
        port->alone = !command->ata.queued;
        port->tfd = ATA_READY | (port->alone ? ATA_BSY : 0);
        port_continue(port, slot);
        break;
    default:
        fail_memory(port);
        break;
    }
}

static bool port_can_start(const struct ahci_port *port)
{
    return port->ci & ~port->busy && port->cmd & CMD_ST && port->ssts == SSTS_UP &&
           !port->stopped && !port->failed && !port->held && !port->lost && !port->alone;
}

/* In turn, from the slot behind the last one. Queued commands together, any other alone. */
static bool port_take_next(struct ahci_port *port)
{
    uint8_t fis[TABLE_FIXED];
    if (!port_can_start(port))
        return false;
    uint32_t waiting = port->ci & ~port->busy;
    uint32_t behind = waiting & ~0u << port->next_slot;
    unsigned slot = (unsigned)__builtin_ctz(behind ? behind : waiting);
    struct ahci_command command;
    if (!port_fetch(port, slot, &command, fis)) {
        fail_memory(port);
        return true;
    }
    if (port->busy && !(command.ata.queued && fis[1] & FIS_C))
        return false;
    port->cmd = (port->cmd & ~CMD_CCS_MASK) | slot << CMD_CCS;
    port->next_slot = (uint8_t)((slot + 1) % AHCI_SLOTS);
    port->command[slot] = command;
    if (fis[1] & FIS_C)
        port_begin(port, slot);
    else
        port_control(port, slot, fis[15]);
    return true;
}

/* --- resets --- */

/* Nobody waits for an answer any more. The disk may still work with the guest's memory. */
static void port_abandon(struct ahci_port *port)
{
    if (port->held) {
        port->held = false;
        port->busy &= ~(1u << port->held_slot);
    }
    port->lost = port->busy;
    port->ci = port->sact = port->done = 0;
    port->stopped = port->failed = false;
    port->ata.trims = 0;
    port->cmd &= ~CMD_CCS_MASK;
    port->next_slot = 0;
    if (!port->busy)
        port->alone = false;
}

static void link_up(struct ahci_port *port)
{
    port->link_reset = port->soft_reset = false;
    port->ssts = SSTS_UP;
    port->serr |= SERR_N | SERR_X;
    ata_reset(port);
    send_signature(port);
}

/* What waits until the disk has let go of the guest's memory. */
static void port_settle(struct ahci_port *port)
{
    if (port->busy)
        return;
    if (!(port->cmd & CMD_ST))
        port->cmd &= ~CMD_CR;
    if (port->link_reset && !(port->sctl & SCTL_DET))
        link_up(port);
}

void ahci_port_pump(struct ahci_port *port)
{
    for (unsigned taken = 0; can_take(port) || port_can_start(port); taken++) {
        if (taken == ROUND) {
            disk_yield(port->disk);
            break;
        }
        if (can_take(port))
            take_ended(port);
        else if (!port_take_next(port))
            break;
    }
    disk_ring(port->disk);
    tell_queued(port);
    port_settle(port);
    ahci_interrupt(port->hba);
}

static void port_go_on(void *owner)
{
    struct ahci_port *port = owner;
    if (port->held)
        port_submit(port, port->held_slot);
    ahci_port_pump(port);
}

void ahci_port_reset(struct ahci_port *port)
{
    port_abandon(port);
    port->clb = port->fb = 0;
    port->is = port->ie = port->sctl = port->serr = 0;
    port->cmd = CMD_SUD | CMD_POD;
    port->ssts = 0;
    port->tfd = TFD_NO_LINK;
    port->sig = UINT32_MAX;
    port->link_reset = true;
    port_settle(port);
}

/* --- registers --- */

static uint32_t causes(const struct ahci_port *port)
{
    return port->is | (port->serr & SERR_X ? IS_PCS : 0) | (port->serr & SERR_N ? IS_PRCS : 0);
}

uint32_t ahci_port_read(const struct ahci_port *port, unsigned offset)
{
    switch (offset) {
    case PX_CLB:
        return (uint32_t)port->clb;
    case PX_CLBU:
        return (uint32_t)(port->clb >> 32);
    case PX_FB:
        return (uint32_t)port->fb;
    case PX_FBU:
        return (uint32_t)(port->fb >> 32);
    case PX_IS:
        return causes(port);
    case PX_IE:
        return port->ie;
    case PX_CMD:
        return port->cmd;
    case PX_TFD:
        return port->tfd;
    case PX_SIG:
        return port->sig;
    case PX_SSTS:
        return port->ssts;
    case PX_SCTL:
        return port->sctl;
    case PX_SERR:
        return port->serr;
    case PX_SACT:
        return port->sact;
    case PX_CI:
        return port->ci;
    default:
        return 0;
    }
}

static void write_cmd(struct ahci_port *port, uint32_t value)
{
    uint32_t was = port->cmd;
    port->cmd = (was & ~CMD_WRITABLE) | (value & CMD_WRITABLE);
    port->cmd &= ~CMD_FR;
    port->cmd |= value & CMD_FRE ? CMD_FR : 0;
    if (value & CMD_CLO && !(value & CMD_ST))
        port->tfd &= ~(ATA_BSY | ATA_DRQ);
    if (value & CMD_ST)
        port->cmd |= CMD_CR;
    else if (was & CMD_ST)
        port_abandon(port);
}

static void write_sctl(struct ahci_port *port, uint32_t value)
{
    uint32_t was = port->sctl & SCTL_DET, now = value & SCTL_DET;
    port->sctl = value & 0xfffu;
    if (now == was || (now != DET_RESET && now != DET_OFFLINE))
        return;
    port_abandon(port);
    port->link_reset = true;
    port->ssts = now == DET_OFFLINE ? SSTS_OFFLINE : 0;
    port->tfd = TFD_NO_LINK;
}

void ahci_port_write(struct ahci_port *port, unsigned offset, uint32_t value)
{
    switch (offset) {
    case PX_CLB:
        port->clb = (port->clb & ~0xffffffffull) | (value & ~0x3ffu);
        break;
    case PX_CLBU:
        port->clb = (uint32_t)port->clb | (uint64_t)value << 32;
        break;
    case PX_FB:
        port->fb = (port->fb & ~0xffffffffull) | (value & ~0xffu);
        break;
    case PX_FBU:
        port->fb = (uint32_t)port->fb | (uint64_t)value << 32;
        break;
    case PX_IS:
        port->is &= ~value;
        break;
    case PX_IE:
        port->ie = value & (IS_KEPT | IS_PCS | IS_PRCS);
        break;
    case PX_CMD:
        write_cmd(port, value);
        break;
    case PX_SCTL:
        write_sctl(port, value);
        break;
    case PX_SERR:
        port->serr &= ~value;
        break;
    case PX_SACT:
        port->sact |= port->cmd & CMD_ST ? value : 0;
        break;
    case PX_CI:
        port->ci |= port->cmd & CMD_ST ? value : 0;
        break;
    default:
        return;
    }
    ahci_port_pump(port);
}

void ahci_port_init(struct ahci_port *port, struct ahci *hba, unsigned number, struct disk *disk)
{
    port->hba = hba;
    port->number = (uint8_t)number;
    port->disk = disk;
    disk->owner = (struct disk_owner){port_ended, port_go_on, NULL, port};
    ahci_port_reset(port);
}
