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
#include "drivers/nic/protocol.h"
#include "manager/guest/lifecycle.h"
#include "net/ip/protocol.h"
#include "net/switch/protocol.h"
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
    MGR_OP_DISKS,      /* name -> mr[1] = mr[2] = number of disks; structs mgr_disk */
    MGR_OP_HOST,       /* mr[1] = enum mgr_host, mr[2] = 1: without waiting for the guests */
    MGR_OP_TUNE,       /* mr[1] = MGR_TUNE_* flags, name -> struct mgr_tune */
    /* mr[1] = MGR_TUNE_* flags, name, from mr[MGR_REQUEST] on a struct -> reason if refused */
    MGR_OP_TUNE_SET, /* struct mgr_tune_set */
    MGR_OP_PIN,      /* struct mgr_pin_set */
    /* mr[1] = enum mgr_trace, mr[2] = CPU | position << 16 -> mr[1] = events, mr[2] = next
     * position; struct trace_entry each */
    MGR_OP_TRACE,
    MGR_OP_NETS, /* name -> mr[1] = mr[2] = number of interfaces; structs mgr_net */
    /* mr[1] = 1: up, name, from mr[MGR_REQUEST] on struct mgr_net_which -> reason if refused */
    MGR_OP_LINK,
    MGR_OP_IFACES, /* mr[1] = first -> mr[1] = NICs in all, mr[2] = in this reply */
    /* mr[1] = first -> mr[1] = networks in all, mr[2] = in this reply, mr[3] = restarts of the
     * switch, mr[4] = ns of CPU that the present one has used */
    MGR_OP_NETWORKS,
    /* mr[1] = first port, a network's name -> mr[1] = port to go on with, or SWITCH_PORTS; mr[2] =
     * ports in this reply */
    MGR_OP_NETPORTS,
    /* mr[1] = first -> mr[1] = CPUs in all, mr[2] = in this reply; structs mgr_cpu */
    MGR_OP_CPUS,
    MGR_OP_HOSTNET, /* -> struct mgr_hostnet */
    MGR_OP_PING,    /* mr[1] = packets, host's name as a domain's -> mr[1] = job */
    MGR_OP_PONG,    /* mr[1] = job -> struct ip_ping */
    /* mr[1] = enum mgr_cpu_order, mr[2] = CPU -> struct tune_set: CPUs that are online; or a reason
     */
    MGR_OP_CPU,
    /* mr[1] = 1: the domain's writes are counted from now on; 0: they have been till now, which its
     * counters tell some 10 ms later, name -> reason if refused */
    MGR_OP_DIRTY,
    /* mr[1] = first -> mr[1] = pools in all, mr[2] = in this reply; structs mgr_pool */
    MGR_OP_POOLS,
    /* mr[1] = first, pool -> mr[1] = volumes in all, mr[2] = in this reply; structs mgr_volume */
    MGR_OP_VOLUMES,
    /* pool, from mr[MGR_REQUEST] on a struct pool_order; without names in that: a domain, whose
     * volumes are meant -> mr[1] = number of the order; the pool's name */
    MGR_OP_ORDER,
    /* mr[1] = number of the order, pool -> mr[1] = 1: it was carried out, or refused for the reason
     * in the text; 0: not yet */
    MGR_OP_ORDERED,
    /* mr[1] = enum mgr_capture; BEGIN: a network, from mr[MGR_REQUEST] on struct mgr_capture_port
     * -> reason if refused; READ -> mr[1] = bytes, mr[2] = frames lost; records of a pcap file */
    MGR_OP_CAPTURE,
    /* -> mr[2] = in this reply; structs mgr_cpupool, the first one is of the CPUs in no pool */
    MGR_OP_CPUPOOLS,
    /* mr[1] = enum mgr_cpupool_order, name: of a pool (MOVE: a domain), from mr[MGR_REQUEST] on
     * struct mgr_cpupool_set -> reason if refused */
    MGR_OP_CPUPOOL
};

enum mgr_cpu_order { MGR_CPU_MAP, MGR_CPU_OFFLINE, MGR_CPU_ONLINE };

enum mgr_cpupool_order {
    MGR_CPUPOOL_CREATE,
    MGR_CPUPOOL_DESTROY,
    MGR_CPUPOOL_ADD,
    MGR_CPUPOOL_REMOVE,
    MGR_CPUPOOL_MOVE
};

enum mgr_trace { MGR_TRACE_OFF, MGR_TRACE_ON, MGR_TRACE_READ };

enum mgr_capture { MGR_CAPTURE_BEGIN, MGR_CAPTURE_READ, MGR_CAPTURE_END };
#define MGR_CAPTURE_SNAP 256u /* of a frame, bytes */
struct mgr_capture_port {
    char name[SWITCH_NAME]; /* as MGR_OP_NETPORTS has it */
};

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
    char title[128], cpupool[TUNE_POOL]; /* cpupool empty: none */
    char reason[MGR_TEXT];               /* why the last run ended */
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
    struct vmm_dirty dirty;
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

/* A pool of CPUs. */
struct mgr_cpupool {
    char name[TUNE_POOL];
    struct tune_set cpus;
    uint64_t guests; /* that are assigned to it */
};
#define MGR_CPUPOOLS (MGR_PAYLOAD_BYTES / sizeof(struct mgr_cpupool))

struct mgr_cpupool_set {
    char text[184]; /* a list of CPUs; MOVE: the pool's name, empty: none */
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
    char source[192]; /* a volume: "pool/volume" */
    uint64_t is_volume;
    uint64_t sectors; /* of 512 bytes; 0: not running */
    uint64_t stat[DISK_STATS];
};

/* A CPU of the host. */
struct mgr_cpu {
    uint64_t idle_ns;
    uint64_t switches, interrupts, ipis, timer_irqs, syscalls;
};
#define MGR_CPUS (MGR_PAYLOAD_BYTES / sizeof(struct mgr_cpu))

/* The host's own network interface. */
struct mgr_hostnet {
    char network[SWITCH_NAME]; /* empty: none is configured */
    uint8_t mac[8];            /* six bytes */
    uint32_t restarts;         /* of the process */
    uint32_t running;          /* 1: what follows is of the running process */
    struct ip_status status;   /* but for `ping` */
};

/* A network interface of a domain; counters are those of its run, 0 without one. */
struct mgr_net {
    char target[16];
    char source[64];
    uint32_t bridge; /* 1: the definition calls the network a bridge */
    uint32_t model;  /* enum vmm_net_model */
    uint32_t link;   /* 1: not set down */
    uint32_t pad;
    uint8_t mac[8];
    uint64_t stat[SWITCH_PORT_STATS];
};

struct mgr_net_which {
    char which[24]; /* its name, or its address */
};

/* A volume pool; sizes are blocks of 64 KiB. */
struct mgr_pool {
    char name[MGR_NAME];
    uint32_t state; /* enum pool_state */
    uint32_t volumes, restarts, pad;
    uint64_t blocks, free_blocks;
    uint64_t used_ns; /* CPU time of its process */
    char reason[192];
};
#define MGR_POOLS (MGR_PAYLOAD_BYTES / sizeof(struct mgr_pool))

struct mgr_volume {
    char name[64];
    uint32_t id, snapshot_of; /* id of the volume, 0: it is one itself */
    uint32_t used, pad;
    uint64_t sectors, blocks, created; /* blocks of 64 KiB that are mapped */
};
#define MGR_VOLUMES (MGR_PAYLOAD_BYTES / sizeof(struct mgr_volume))

/* A device of the host. */
struct mgr_nodedev {
    char name[32];       /* libvirt's: "pci_0000_00_1f_2" */
    char class_name[40]; /* "SATA controller (AHCI)" */
    uint32_t vendor, device;
};
#define MGR_NODEDEVS (MGR_PAYLOAD_BYTES / sizeof(struct mgr_nodedev))

/* A NIC of the host. */
struct mgr_iface {
    char name[16], driver[16], chip[24], address[16];
    char network[64]; /* whose uplink it is; empty: none's */
    uint8_t mac[8];   /* six bytes; all zero: not known yet */
    uint32_t state;   /* enum nic_state */
    uint32_t link, speed, restarts;
    uint64_t stat[NIC_STATS];
};
#define MGR_IFACES (MGR_PAYLOAD_BYTES / sizeof(struct mgr_iface))

/* A network. */
struct mgr_network {
    char name[MGR_NAME];
    uint8_t uuid[16];
    uint32_t mtu, ports, isolated;
    uint32_t active; /* the switch runs */
};
#define MGR_NETWORKS (MGR_PAYLOAD_BYTES / sizeof(struct mgr_network))

/* A port of a network. */
struct mgr_netport {
    char name[MGR_NAME]; /* "alpha vnet0" */
    uint8_t mac[8];      /* six bytes; all zero: it has none of its own */
    uint32_t kind;       /* enum switch_port_kind */
    uint32_t vlan_mode, vlan;
    uint32_t link, attached;
    uint32_t pad;
    uint64_t stat[SWITCH_PORT_STATS];
};
#define MGR_NETPORTS (MGR_PAYLOAD_BYTES / sizeof(struct mgr_netport))

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
_Static_assert(VMM_MAX_NETS * sizeof(struct mgr_net) <= MGR_PAYLOAD_BYTES,
               "a domain's interfaces fit into a reply");
_Static_assert(sizeof(struct mgr_tune) <= MGR_PAYLOAD_BYTES, "mgr_tune fits into a reply");
_Static_assert(sizeof(struct mgr_node) <= MGR_PAYLOAD_BYTES, "mgr_node fits into a reply");
_Static_assert(sizeof(struct mgr_hostnet) <= MGR_PAYLOAD_BYTES, "mgr_hostnet fits into a reply");

#endif
