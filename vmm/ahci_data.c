/* SPDX-License-Identifier: BSD-2-Clause */
/* A command's data: pieces of guest memory that its physical region descriptors name. */
#include <string.h>
#include "vmm/ahci.h"

#define PRDT      0x80u /* in the command table */
#define PRD_SIZE  16u
#define PRD_BYTES 0x3fffffu /* of its last word: bytes less one */
#define PART_MAX  (8u << 20)

struct prd {
    uint64_t address;
    uint32_t reserved, count;
};

/* The piece where the command's next byte lies, at most max bytes of it. NULL: there is none, or it
 * is not memory. */
static uint8_t *next_piece(const struct ahci_port *port, struct ahci_command *command, uint32_t max,
                           uint32_t *len)
{
    const struct machine *machine = port->hba->machine;
    while (command->prd < command->prds) {
        const void *at =
            guest_ptr(machine, command->table + PRDT + PRD_SIZE * command->prd, PRD_SIZE);
        struct prd prd;
        if (!at)
            return NULL;
        memcpy(&prd, at, sizeof prd);
        uint32_t size = (prd.count & PRD_BYTES) + 1;
        if (command->prd_skip >= size) {
            command->prd++;
            command->prd_skip = 0;
            continue;
        }
        *len = size - command->prd_skip < max ? size - command->prd_skip : max;
        uint64_t first = prd.address & ~1ull, from = first + command->prd_skip;
        return from < first ? NULL : guest_ptr(machine, from, *len);
    }
    return NULL;
}

static void advance(struct ahci_command *command, uint32_t bytes)
{
    command->prd_skip += bytes;
    command->moved += bytes;
}

static void add_piece(struct disk_request *request, uint8_t *data, uint32_t len)
{
    if (request->segments) {
        struct disk_segment *last = &request->segment[request->segments - 1];
        if (last->data + last->len == data) {
            last->len += len;
            return;
        }
    }
    request->segment[request->segments++] = (struct disk_segment){data, len};
}

/* Takes bytes off the end again: a request is whole blocks. */
static void drop_bytes(struct disk_request *request, uint32_t bytes)
{
    while (bytes) {
        struct disk_segment *last = &request->segment[request->segments - 1];
        if (last->len > bytes) {
            last->len -= bytes;
            return;
        }
        bytes -= last->len;
        request->segments--;
    }
}

/* A block that begins in one request ends in it. False: the guest changes what it has laid. */
static bool go_to(const struct ahci_port *port, struct ahci_command *command, uint32_t bytes)
{
    for (uint32_t len; bytes; bytes -= len) {
        if (!next_piece(port, command, bytes, &len))
            return false;
        advance(command, len);
    }
    return true;
}

bool ahci_gather(struct ahci_port *port, struct ahci_command *command)
{
    struct disk_request *next = &port->next;
    struct ata_command *ata = &command->ata;
    struct ahci_command end = *command;
    uint64_t left = ata->left * BLK_SECTOR;
    uint32_t want = left < PART_MAX ? (uint32_t)left : PART_MAX, got = 0;
    next->segments = 0;
    while (got < want && next->segments < DISK_SEGMENTS) {
        uint32_t len;
        uint8_t *data = next_piece(port, &end, want - got, &len);
        if (!data)
            break;
        add_piece(next, data, len);
        advance(&end, len);
        got += len;
    }
    uint32_t rest = got % port->disk->geometry.block_size;
    if (got == rest)
        return false;
    if (rest) {
        drop_bytes(next, rest);
        if (!go_to(port, command, got - rest))
            return false;
    } else {
        *command = end;
    }
    next->sector = ata->sector;
    next->sectors = (got - rest) / BLK_SECTOR;
    ata->sector += next->sectors;
    ata->left -= next->sectors;
    return true;
}

void ahci_copy(struct ahci_port *port, struct ahci_command *command, void *data, uint32_t size,
               bool to_guest)
{
    uint8_t *own = data;
    uint32_t len;
    while (size) {
        uint8_t *piece = next_piece(port, command, size, &len);
        if (!piece)
            return;
        if (to_guest)
            memcpy(piece, own, len);
        else
            memcpy(own, piece, len);
        advance(command, len);
        own += len;
        size -= len;
    }
}
