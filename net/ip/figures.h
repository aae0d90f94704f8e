/* SPDX-License-Identifier: BSD-2-Clause */
/* A picture of the host's figures, asked of the manager: what one answer to /metrics shows. */
#ifndef NET_IP_FIGURES_H
#define NET_IP_FIGURES_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/vcpu.h"
#include "manager/protocol.h"
#include "net/ip/protocol.h"
#include "net/switch/protocol.h"

#define FIGURES_CPUS       256u
#define FIGURES_DOMAINS    64u
#define FIGURES_VCPUS      512u
#define FIGURES_DISKS      256u
#define FIGURES_INTERFACES 256u

struct figures_domain {
    char name[MGR_NAME];
    uint32_t state, vcpus, restarts, pad;
    uint64_t memory, overhead, cpu_ns, uptime_ns;
};

struct figures_vcpu {
    uint32_t domain, vcpu;
    uint64_t guest_ns, steal_ns, used_ns, wait_ns, throttled_ns;
    uint64_t stat[VCPU_STATS];
};

struct figures_disk {
    uint32_t domain, pad;
    char target[16];
    uint64_t sectors;
    uint64_t stat[DISK_STATS];
};

#define FIGURES_HOST UINT32_MAX /* figures_interface.domain: the host's own */
struct figures_interface {
    uint32_t domain, pad;
    uint64_t up; /* 1: its link is */
    char target[16];
    uint64_t stat[SWITCH_PORT_STATS];
};

struct figures {
    uint64_t taken_ns; /* time_ns() */
    uint64_t unix_ns;  /* 0: not known */
    uint32_t users;    /* answers that are being made of it */
    uint32_t cpus, domains, vcpus, disks, interfaces;
    uint32_t left_out; /* things for which there was no room */
    uint32_t ntp_synced;
    struct mgr_node node;
    uint64_t own[IP_COUNTS];
    struct mgr_cpu cpu[FIGURES_CPUS];
    struct figures_domain domain[FIGURES_DOMAINS];
    struct figures_vcpu vcpu[FIGURES_VCPUS];
    struct figures_disk disk[FIGURES_DISKS];
    struct figures_interface interface[FIGURES_INTERFACES];
};

/* Asks the running guests' VMMs to bring their counters up to date: takes them some 10 ms. */
void figures_refresh(void);
/* Fills it, but for unix_ns, ntp_synced, own and users. False: the manager does not answer. */
bool figures_take(struct figures *figures);

#endif
