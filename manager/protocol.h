/* SPDX-License-Identifier: BSD-2-Clause */
/* What the console asks of the manager: portal_call on SLOT_PARENT. The portal's badge says who
 * calls; only the console may use these operations. Request: mr[0] = operation, mr[1..2] = numbers,
 * a domain's name zero-terminated from mr[MGR_PAYLOAD] on. Reply: mr[0] = status, mr[1..3] =
 * numbers, from mr[MGR_PAYLOAD] on a structure, or a zero-terminated reason if the status is bad.
 */
#ifndef MANAGER_PROTOCOL_H
#define MANAGER_PROTOCOL_H

#include <stdint.h>
#include "abi/utcb.h"
#include "manager/lifecycle.h"
#include "vmm/config.h"

#define MGR_PAYLOAD       8u
#define MGR_PAYLOAD_BYTES ((UTCB_WORDS - MGR_PAYLOAD) * 8u)
#define MGR_NAME          64u
#define MGR_TEXT          1024u
#define MGR_REQUEST       (MGR_PAYLOAD + MGR_NAME / 8u) /* behind the name */

/* Operations begin above enum vmm_event: both arrive at one portal. */
enum mgr_op {
    MGR_OP_LIST = 256, /* mr[1] = first -> mr[1] = domains in all, mr[2] = in this reply; briefs */
    MGR_OP_INFO,       /* name -> struct mgr_info */
    MGR_OP_ACT,        /* mr[1] = enum vm_input below VM_IN_VERBS, name -> reason if refused */
    MGR_OP_REFRESH,    /* name: the VMM brings its counters up to date (takes it some 10 ms) */
    MGR_OP_STATS,      /* mr[1] = vCPU, name -> struct mgr_stats */
    MGR_OP_NODE,       /* -> struct mgr_node */
    MGR_OP_KLOG,       /* mr[1] = position -> mr[1] = bytes, mr[2] = next position; bytes */
    MGR_OP_CONSOLE,    /* mr[1] = index -> struct mgr_console; capabilities: rings, notification */
    MGR_OP_NODEDEV,    /* mr[1] = first -> mr[1] = devices in all, mr[2] = in this reply */
    MGR_OP_DISKS,      /* name -> mr[1] = number of disks; structs mgr_disk */
    MGR_OP_HOST,       /* mr[1] = enum mgr_host, mr[2] = 1: without waiting for the guests */
    MGR_OP_TUNE,       /* mr[1] = MGR_TUNE_* flags, name -> struct mgr_tune */
    /* mr[1] = MGR_TUNE_* flags, name, from mr[MGR_REQUEST] on a struct -> reason if refused */
    MGR_OP_TUNE_SET, /* struct mgr_tune_set */
    MGR_OP_PIN,      /* struct mgr_pin_set */
    /* mr[1] = enum mgr_trace, mr[2] = CPU | position << 16 -> mr[1] = events, mr[2] = next
     * position; struct trace_entry each */
    MGR_OP_TRACE
};

enum mgr_trace { MGR_TRACE_OFF, MGR_TRACE_ON, MGR_TRACE_READ };

enum mgr_host { MGR_HOST_POWEROFF, MGR_HOST_REBOOT };

struct mgr_brief {
    uint64_t id; /* number of this run; 0: not running */
    uint32_t index;
    uint32_t state; /* enum vm_state */
    uint32_t run;   /* counts launches: rings and notification change with it */
    uint32_t autostart;
    char name[MGR_NAME];
};
#define MGR_BRIEFS (MGR_PAYLOAD_BYTES / sizeof(struct mgr_brief))

struct mgr_info {
    struct mgr_brief brief;
    uint8_t uuid[16];
    uint32_t vcpus, restarts;
    uint64_t memory, used_memory; /* bytes */
    uint64_t overhead;            /* bytes of user memory beyond guest RAM */
    uint64_t cpu_time_ns, uptime_ns;
    uint32_t start_order, start_delay_ms;
    char title[128];
    char reason[MGR_TEXT]; /* why the last run ended */
};

/* How mgr_info.reason begins when the VMM cannot honour the definition or an image. */
#define MGR_REFUSED "refused"

/* A thread's account with the scheduler (struct sc_info). */
struct mgr_sched {
    uint32_t cpu, class, priority, weight;
    uint64_t id; /* in the trace */
    uint64_t budget_us, period_us;
    uint64_t used_ns, wait_ns, throttled_ns;
    uint64_t switches, migrations, deadline_misses;
};

struct mgr_stats {
    uint32_t vcpus;
    uint32_t state; /* VCPU_RUN_*, or 3: suspended */
    uint32_t vm_state, pad;
    uint64_t memory, balloon_pages;
    uint64_t guest_ns, steal_ns; /* in the guest; as it was told */
    uint64_t domain_ns;          /* all threads of the domain, this run */
    uint64_t stat[32], exits[32];
    struct tune_set cpuset; /* where it may run */
    struct mgr_sched sched, emulator;
};

/* Which settings are meant; without either flag: those of this run, or the next if it is off. */
#define MGR_TUNE_LIVE   0x1u
#define MGR_TUNE_CONFIG 0x2u

/* libvirt's scheduler parameters, in the order in which virsh shows them. */
enum mgr_tune_value {
    MGR_TUNE_CPU_SHARES,
    MGR_TUNE_VCPU_PERIOD,
    MGR_TUNE_VCPU_QUOTA,
    MGR_TUNE_EMULATOR_PERIOD,
    MGR_TUNE_EMULATOR_QUOTA,
    MGR_TUNE_GLOBAL_PERIOD,
    MGR_TUNE_GLOBAL_QUOTA,
    MGR_TUNE_IOTHREAD_PERIOD,
    MGR_TUNE_IOTHREAD_QUOTA,
    MGR_TUNES
};
#define MGR_TUNE_NAMES                                                                  \
    {                                                                                   \
        "cpu_shares", "vcpu_period", "vcpu_quota", "emulator_period", "emulator_quota", \
            "global_period", "global_quota", "iothread_period", "iothread_quota"        \
    }

struct mgr_tune {
    uint32_t vcpus, pad;
    int64_t value[MGR_TUNES];
    struct tune_set pin[VMM_MAX_VCPUS], emulator_pin;
};

struct mgr_tune_set {
    uint32_t count, pad;
    struct {
        uint32_t which; /* enum mgr_tune_value */
        uint32_t pad;
        int64_t value;
    } change[MGR_TUNES];
};

#define MGR_PIN_EMULATOR UINT32_MAX
struct mgr_pin_set {
    uint32_t vcpu; /* or MGR_PIN_EMULATOR */
    uint32_t pad;
    char list[184]; /* "0-3,^2"; "r": as the definition's <vcpu cpuset> says */
};

struct mgr_node {
    uint32_t cpus, nodes, vendor, virt;
    uint64_t tsc_khz, assists;
    uint64_t memory, free, largest; /* bytes */
    uint64_t kmem_total, kmem_free;
    uint64_t objects[16];
    uint32_t running, domains;
    uint64_t uptime_ns;
    char cpu_name[48], version[32], boot_method[16];
};

/* A disk of a domain; counters are those of its run, 0 without one. */
struct mgr_disk {
    char target[16];
    char source[192];
    uint64_t sectors; /* of 512 bytes; 0: not running */
    uint64_t stat[DISK_STATS];
};

/* A device of the host. */
struct mgr_nodedev {
    char name[32];       /* libvirt's: "pci_0000_00_1f_2" */
    char class_name[40]; /* "SATA controller (AHCI)" */
    uint32_t vendor, device;
};
#define MGR_NODEDEVS (MGR_PAYLOAD_BYTES / sizeof(struct mgr_nodedev))

/* Two sets of rings, used by turns, so that the last words of a run can still be read when the next
 * has begun: run r uses set r & 1. Set s holds `channels` rings of VMM_RING_BYTES from offset
 * s * channels * VMM_RING_BYTES on, in the order of enum mgr_channel (absent ones left out). */
enum mgr_channel { MGR_CHANNEL_SERIAL, MGR_CHANNEL_VIRTIO, MGR_CHANNELS };

struct mgr_console {
    uint32_t run, channels;
    uint32_t has_serial, has_virtio;
    uint64_t ring_bytes; /* of the capability */
    uint32_t has_notif;  /* 1: the second capability is the VMM's notification */
    uint32_t pad;
};

_Static_assert(sizeof(struct mgr_info) <= MGR_PAYLOAD_BYTES, "mgr_info fits into a reply");
_Static_assert(sizeof(struct mgr_stats) <= MGR_PAYLOAD_BYTES, "mgr_stats fits into a reply");
_Static_assert(VMM_MAX_DISKS * sizeof(struct mgr_disk) <= MGR_PAYLOAD_BYTES,
               "a domain's disks fit into a reply");
_Static_assert(sizeof(struct mgr_tune) <= MGR_PAYLOAD_BYTES, "mgr_tune fits into a reply");
_Static_assert(sizeof(struct mgr_node) <= MGR_PAYLOAD_BYTES, "mgr_node fits into a reply");

#endif
