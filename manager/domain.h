/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine as its domain XML defines it: plain data, no run-time state. */
#ifndef MANAGER_DOMAIN_H
#define MANAGER_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>
#include "manager/tune.h"
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
    uint32_t feature_count;
    struct vmm_feature feature[VMM_MAX_FEATURES];
};

#define DOMAIN_NO_ORDER UINT32_MAX

#endif
