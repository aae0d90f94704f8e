/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine as its domain XML defines it: plain data, no run-time state. */
#ifndef MANAGER_DEFINITION_DOMAIN_H
#define MANAGER_DEFINITION_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>
#include "manager/definition/tune.h"
#include "net/switch/protocol.h"
#include "vmm/config.h"

#define DOMAIN_NAME  64u
#define DOMAIN_PATH  192u
#define DOMAIN_TITLE 128u

/* What follows when a guest powers off, reboots or crashes. */
enum domain_action { ACTION_DESTROY, ACTION_RESTART, ACTION_PRESERVE };

/* A file of the VM set, and where the XML names it, for messages. */
struct domain_file {
    char path[DOMAIN_PATH]; /* relative to the set folder; empty: none */
    uint32_t line;
};

#define DOMAIN_OVERLAY_MIN (64ull << 10)
#define DOMAIN_OVERLAY_MAX (1ull << 40)

enum domain_disk_source {
    DISK_SOURCE_FILE,  /* a file of the VM set */
    DISK_SOURCE_BLOCK, /* /dev/disk/by-...: resolved when the guest starts */
    DISK_SOURCE_VOLUME /* of a pool: "volume", or "volume@snapshot" */
};

struct domain_disk {
    uint32_t line;
    enum domain_disk_source source_type;
    /* File: relative to the set folder. Block: the whole path. Volume: its name. */
    struct domain_file source;
    /* <backingStore>: a file of the set below a block device or a volume, which holds what the
     * guest writes. */
    struct domain_file base;
    char pool[64];   /* DISK_SOURCE_VOLUME: label of the pool's partition */
    char target[16]; /* "vda" */
    char serial[24];
    uint32_t bus;   /* enum vmm_disk_bus */
    uint32_t cache; /* enum vmm_disk_cache */
    uint32_t boot_order;
    bool cdrom, read_only, discard;
    bool transient;        /* writes go to an overlay in RAM that ends with the guest */
    uint64_t overlay_size; /* bytes, a multiple of 4 KiB; 0: chosen by the image's size */
    uint64_t limit[VMM_LIMITS];
};

struct domain_net {
    uint32_t line, source_line, filter_line;
    uint32_t model; /* enum vmm_net_model */
    uint32_t pairs; /* of queues */
    uint32_t mtu;   /* bytes of payload; 0: the network's */
    uint32_t boot_order;
    uint32_t without; /* VMM_NET_* */
    bool bridge;      /* type="bridge": the network was named as a bridge */
    bool has_mac;     /* else it is made of the domain's UUID */
    char network[SWITCH_NAME], portgroup[SWITCH_NAME];
    char target[16]; /* "vnet0" */
    /* What the switch is told. vlan_mode NONE, rates of 0: what port group or network have. */
    struct switch_port port;
};

struct domain {
    char file[DOMAIN_PATH]; /* the XML file, for messages */
    char name[DOMAIN_NAME];
    char title[DOMAIN_TITLE];
    uint8_t uuid[16];
    bool has_uuid;
    uint32_t name_line, uuid_line, memory_line;

    uint64_t memory; /* bytes, a multiple of 4 KiB */
    uint64_t current_memory;
    uint32_t vcpus;
    struct tune tune;

    struct domain_file kernel, initrd, loader;
    char cmdline[VMM_CMDLINE];

    enum domain_action on_poweroff, on_reboot, on_crash;

    bool autostart;          /* started at boot; mullion:start auto="no" clears it */
    uint32_t start_order;    /* ascending; DOMAIN_NO_ORDER: after those with an order */
    uint32_t start_delay_ms; /* between the start before and this one */

    bool has_serial, has_virtio_console, has_rng, has_balloon, has_kvm_pv;
    bool clock_localtime;
    int64_t clock_offset_s;
    uint64_t tsc_hz; /* 0: the host's */
    uint32_t feature_count;
    struct vmm_feature feature[VMM_MAX_FEATURES];
    uint32_t disk_count;
    struct domain_disk disk[VMM_MAX_DISKS]; /* by target: vda first */
    uint32_t net_count;
    struct domain_net net[VMM_MAX_NETS]; /* in the order of the definition */
};

#define DOMAIN_NO_ORDER UINT32_MAX

#endif
