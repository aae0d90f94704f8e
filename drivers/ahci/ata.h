/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies in memory between driver, controller and disk: AHCI 1.3.1, "System Memory Structures";
 * Serial ATA 3.x, "FIS types"; ACS-3 for commands. */
#ifndef DRIVERS_AHCI_ATA_H
#define DRIVERS_AHCI_ATA_H

#include <stddef.h>
#include <stdint.h>

#define ATA_READ_DMA_EXT       0x25u
#define ATA_READ_LOG_EXT       0x2fu
#define ATA_WRITE_DMA_EXT      0x35u
#define ATA_WRITE_DMA_FUA_EXT  0x3du
#define ATA_READ_FPDMA_QUEUED  0x60u
#define ATA_WRITE_FPDMA_QUEUED 0x61u
#define ATA_DATA_SET_MGMT      0x06u
#define ATA_PACKET             0xa0u
#define ATA_IDENTIFY_PACKET    0xa1u
#define ATA_READ_DMA           0xc8u
#define ATA_WRITE_DMA          0xcau
#define ATA_FLUSH_CACHE        0xe7u
#define ATA_FLUSH_CACHE_EXT    0xeau
#define ATA_IDENTIFY           0xecu

#define ATA_DSM_TRIM       1u
#define ATA_LOG_NCQ_ERROR  0x10u
#define ATA_DEVICE_LBA     0x40u
#define ATA_DEVICE_FUA     0x80u
#define ATA_PACKET_DMA     0x01u
#define ATA_PACKET_DMA_DIR 0x04u /* to the host; only where IDENTIFY asks for it */

#define SCSI_TEST_UNIT_READY  0x00u
#define SCSI_REQUEST_SENSE    0x03u
#define SCSI_READ_CAPACITY_10 0x25u
#define SCSI_READ_10          0x28u

/* Register - Host to Device. */
struct fis_h2d {
    uint8_t type, pm_c, command, feature;
    uint8_t lba_low[3], device;
    uint8_t lba_high[3], feature_exp;
    uint8_t count, count_exp, icc, control;
    uint8_t auxiliary[4];
};
#define FIS_H2D   0x27u
#define FIS_H2D_C 0x80u

/* Register - Device to Host, in the received FIS structure. */
struct fis_d2h {
    uint8_t type, pm_i, status, error;
    uint8_t lba_low[3], device;
    uint8_t lba_high[3], pad0;
    uint8_t count, count_exp, pad1[6];
};
#define RFIS_D2H 0x40u

struct command_header {
    uint32_t flags; /* HEADER_* | PRDT length << 16 */
    uint32_t bytes; /* PRDBC: transferred */
    uint64_t table;
    uint32_t pad[4];
};
#define HEADER_FIS_DWORDS 5u
#define HEADER_ATAPI      (1u << 5)
#define HEADER_WRITE      (1u << 6)

struct prdt_entry {
    uint64_t address;
    uint32_t pad;
    uint32_t count; /* bytes - 1 */
};
#define PRDT_BYTES_MAX (4u << 20)
#define PRDT_MAX       80u

struct command_table {
    struct fis_h2d fis;
    uint8_t pad0[0x40 - sizeof(struct fis_h2d)];
    uint8_t packet[16];
    uint8_t pad1[0x30];
    struct prdt_entry prdt[PRDT_MAX];
    uint8_t pad2[0x80];
};

/* One port's part of AHCI_SLOT_DMA. */
struct port_dma {
    struct command_header header[32];
    uint8_t received[0x100];
    uint8_t pad0[0x300];
    uint16_t identify[256];
    uint8_t log[512];
    uint8_t sense[512];
    uint8_t pad1[0x200];
    uint64_t trim[512];
    struct command_table internal;
    uint8_t pad2[0x200];
    struct command_table table[32];
};

_Static_assert(sizeof(struct fis_h2d) == 20, "five dwords");
_Static_assert(sizeof(struct fis_d2h) == 20, "five dwords");
_Static_assert(sizeof(struct command_header) == 32, "AHCI command header");
_Static_assert(offsetof(struct command_table, packet) == 0x40, "AHCI command table");
_Static_assert(offsetof(struct command_table, prdt) == 0x80, "AHCI command table");
_Static_assert(sizeof(struct command_table) % 128 == 0, "command tables are 128-byte aligned");
_Static_assert(offsetof(struct port_dma, received) == 0x400, "received FIS: 256-byte aligned");
_Static_assert(offsetof(struct port_dma, table) % 128 == 0, "command tables: 128-byte aligned");
_Static_assert(offsetof(struct port_dma, internal) % 128 == 0, "command tables: 128-byte aligned");

#endif
