/* SPDX-License-Identifier: BSD-2-Clause */
/* ATA disks and ATAPI drives behind a guest's AHCI controller: what a command means and what the
 * device answers (ATA/ATAPI Command Set 3, SCSI Multimedia Commands 6). */
#ifndef VMM_ATA_H
#define VMM_ATA_H

#include <stdbool.h>
#include <stdint.h>

struct ahci_port;
struct ahci_command;

#define ATA_ERR   0x01u /* status */
#define ATA_DRQ   0x08u
#define ATA_READY 0x50u /* DRDY, and a bit that old drivers wait for */
#define ATA_BSY   0x80u

#define ATA_ABRT 0x04u /* error */
#define ATA_IDNF 0x10u
#define ATA_UNC  0x40u

#define ATA_SIGNATURE       0x00000101u
#define ATA_SIGNATURE_ATAPI 0xeb140101u

#define ATA_TRIM_RANGES 64u /* a block of 512 bytes */
#define ATA_QUEUE_DEPTH 32u

struct ata_command {
    /* What the guest asked. */
    uint8_t command, device;
    uint16_t features, count;
    uint64_t lba;
    uint8_t packet[16];
    /* What it means. */
    bool queued, durable;
    bool pio;   /* its data goes to the guest by PIO protocol: no register FIS at the end */
    uint8_t op; /* enum blk_op; reads and writes: [sector, sector + left) is still to do;
                   a flush: left is 1 until it has been asked of the disk */
    uint64_t sector, left;
};

struct ata_device {
    bool is_atapi;
    bool write_cache;
    uint8_t multiple;
    uint8_t sense_key, sense_code, sense_qualifier;
    uint8_t error;          /* error register of the command that ended with ATA_FAILED */
    uint8_t error_log[512]; /* READ LOG EXT, page 10h */
    uint64_t trim[ATA_TRIM_RANGES];
    uint32_t trims; /* ranges; the next one is trim[trims - 1] */
};

enum ata_verdict {
    ATA_DONE,
    ATA_FAILED,   /* ata_device.error */
    ATA_TO_DISK,  /* op */
    ATA_NO_MEMORY /* for a reply: the command's memory is too small, or none */
};

/* --- ata.c --- */
void ata_reset(struct ahci_port *port);
/* Queued by its code alone. */
bool ata_is_queued(uint8_t command);
enum ata_verdict ata_begin(struct ahci_port *port, struct ahci_command *command);
/* The next request of a command that reads or writes nothing. False: there is none. */
bool ata_next(struct ahci_port *port, struct ahci_command *command);
/* Error register for a request that ended so; keeps what REQUEST SENSE tells. */
uint8_t ata_error(struct ahci_port *port, const struct ata_command *ata, unsigned blk_status);
/* What READ LOG EXT tells of a queued command. */
void ata_keep_error(struct ahci_port *port, const struct ata_command *ata, unsigned slot,
                    uint8_t error);

/* --- atapi.c --- */
enum ata_verdict atapi_identify(struct ahci_port *port, struct ahci_command *command);
enum ata_verdict atapi_packet(struct ahci_port *port, struct ahci_command *command);
/* Sense data for a request that ended so. Error register. */
uint8_t atapi_error(struct ata_device *ata, unsigned blk_status);

/* --- for both --- */
/* A reply of at most size bytes into the command's memory. */
enum ata_verdict ata_reply(struct ahci_port *port, struct ahci_command *command, void *data,
                           uint32_t size);
/* Text in words of swapped bytes, padded with blanks. */
void ata_text(uint16_t *word, unsigned words, const char *text);

#endif
