/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual machines of the set: their state, and the VMM that runs each. */
#ifndef MANAGER_GUEST_VM_H
#define MANAGER_GUEST_VM_H

#include <stdbool.h>
#include <stdint.h>
#include "manager/definition/domain.h"
#include "manager/guest/lifecycle.h"
#include "manager/network/netport.h"
#include "manager/host/physmem.h"
#include "manager/protocol.h"
#include "manager/spawn.h"

#define VMS_MAX 128u
/* Guests share the bits below those of manager/main.c and watch.h: any makes it look at all. */
#define VM_FAULT_BITS 55u

enum vm_image_kind { VM_IMAGE_KERNEL, VM_IMAGE_INITRD, VM_IMAGE_FIRMWARE, VM_IMAGES };

/* A disk of a run. */
struct vm_disk {
    struct channel *channel;  /* NULL: an image, or none */
    struct pool_server *pool; /* the channel is a client's of it; NULL: a driver's */
    struct pool_client *client;
    uint64_t driver_bits;
    uint32_t peer;  /* slot: the driver's notification as the VMM gets it */
    uint32_t image; /* slot: the file of the boot package */
    /* What the guest writes onto an image; a reboot finds it, a shutdown ends it. */
    struct mem_block overlay;
};

/* A network interface of a run. */
struct vm_net {
    struct netport *port; /* NULL: none */
    struct netport_grant grant;
    struct mem_block bounce; /* for an e1000 */
    struct mem_block area[SWITCH_MEMORIES_MAX];
};

struct vm {
    struct domain def;
    uint32_t index; /* in the set; bit of its notifications */
    enum vm_state state;
    uint32_t run;                     /* counts launches */
    uint32_t restarts;                /* launches that nobody asked for */
    uint32_t crashes;                 /* in a row, without a minute between */
    uint64_t id;                      /* of this run; also the badge of its VMM; 0: none */
    uint64_t start_at;                /* TSC, state VM_WAITING */
    uint64_t started_ns, cpu_time_ns; /* cpu_time_ns: of the runs before */
    char reason[MGR_TEXT];
    /* An input that ends the VMM waits until the VMM's call has been answered. */
    bool has_pending;
    enum vm_input pending;

    /* What one run uses; empty without a VMM. */
    struct program vmm;
    struct mem_block ram[VMM_MAX_RAM];
    uint32_t ram_count;
    struct mem_block stats;
    uint32_t image[VM_IMAGES];        /* slots */
    uint32_t ring_slot[MGR_CHANNELS]; /* slots: this run's set of `rings` */
    uint32_t console_notif;           /* slot: the VMM's notification as the console gets it */
    bool has_cpus;
    struct vm_disk disk[VMM_MAX_DISKS];
    struct vm_net net[VMM_MAX_NETS];
    /* The VMM has ended, but a disk's driver may still use its memory. */
    bool draining;
    uint32_t first_cpu[VMM_MAX_VCPUS]; /* where each vCPU began */
    uint32_t sc[VMM_MAX_VCPUS];        /* slots: scheduling contexts of the vCPUs' threads */
    uint32_t sc_count;
    struct tune tune; /* def.tune, as it was changed during this run */
    /* Lives as long as the definition: the console reads what the last run wrote. */
    struct mem_block rings;
};

/* What vm.c needs of the manager. */
struct vm_host {
    uint32_t portal, notif;         /* slots: VMMs call, and signal faults there */
    uint32_t console_notif;         /* slot: signalled with CONSOLE_BIT_CHANGED */
    uint32_t machine;               /* slot: for machine_donate */
    const struct package_file *vmm; /* the program */
    uint64_t rtc_base, rtc_tsc;
    bool stopping; /* the host goes down: nothing is restarted */
};
extern struct vm_host vm_host;

struct vm *vm_add(const struct domain *def); /* NULL: VMS_MAX, or no memory */
uint32_t vm_count(void);
struct vm *vm_at(uint32_t index);
struct vm *vm_by_name(const char *name);
struct vm *vm_by_badge(uint64_t badge);

/* A verb (input below VM_IN_VERBS) or a report. NULL, or why it was not possible. */
const char *vm_input(struct vm *vm, enum vm_input input);
/* A call of its VMM (enum vmm_event): what ends the VMM is only noted, for vm_run_pending(). */
void vm_event(struct vm *vm, uint64_t event, const char *text);
/* True while some input waits. */
bool vm_has_pending(void);
void vm_run_pending(void);
/* Reports and handles VMMs that died. */
void vm_check_health(void);
/* Starts after `delay_ms` more than the VM before it. */
void vm_schedule_boot(void);
/* Starts what is due. Returns the TSC of the next start, 0: none. */
uint64_t vm_tick(uint64_t now);
/* VMs with a VMM, or waiting for their start. */
uint32_t vm_active(void);

/* --- vm_launch.c --- */
/* NULL and a running VMM, or why not; then nothing is left. */
const char *vm_launch(struct vm *vm);
/* Ends the VMM and takes all back. */
void vm_release(struct vm *vm);
/* Bytes beyond guest RAM. */
uint64_t vm_overhead(const struct vm *vm);
uint64_t vm_ring_bytes(const struct vm *vm);
/* Gives the memory of a draining VM back when no driver uses it any more. True while one does. */
bool vm_drain(struct vm *vm);
/* When the limits that programs were given exceed the kernel's pool, RAM is added to it. NULL, or
 * why not. */
const char *vm_ensure_kernel_memory(uint64_t quota);

/* --- vm_disks.c --- */
/* Finds the volumes and images of the definition, after its RAM is there. NULL, or why not. */
const char *vm_take_disks(struct vm *vm, struct vmm_config *config);
/* Adds capabilities for the VMM; how many there are then. */
uint32_t vm_disk_caps(const struct vm *vm, struct spawn_cap *caps, uint32_t count);
/* The VMM is there: drivers may signal it. */
const char *vm_attach_disks(struct vm *vm);
/* True while a driver may still use guest memory. */
bool vm_close_disks(struct vm *vm);
/* What guests write onto images ends with them; their next start begins with the images. */
void vm_drop_overlays(struct vm *vm);
/* A volume on a disk: it waits for the disks to be found. */
bool vm_needs_volumes(const struct vm *vm);

/* --- vm_nets.c --- */
/* Opens the ports of the definition's interfaces, after its RAM is there. NULL, or why not. */
const char *vm_take_nets(struct vm *vm, struct vmm_config *config);
/* Adds capabilities for the VMM; how many there are then. */
uint32_t vm_net_caps(const struct vm *vm, struct spawn_cap *caps, uint32_t count);
/* The VMM is there: the switch may signal it. */
const char *vm_attach_nets(struct vm *vm);
/* True while the switch may still use guest memory. */
bool vm_close_nets(struct vm *vm);
/* Pieces of RAM that a guest with these interfaces may have. */
uint32_t vm_net_pieces(const struct vm *vm);
/* The address of interface i. */
void vm_net_mac(const struct vm *vm, uint32_t i, uint8_t mac[6]);
/* Interface by name or address; it is number *i. */
bool vm_net_find(const struct vm *vm, const char *which, uint32_t *i);
/* Sets its link, now and for the next runs. */
void vm_net_set_link(struct vm *vm, uint32_t i, bool up);
bool vm_net_link(const struct vm *vm, uint32_t i);
/* By enum switch_stat; zeroes if it does not run. */
void vm_net_stats(const struct vm *vm, uint32_t i, uint64_t stat[SWITCH_PORT_STATS]);

/* --- vm_sched.c --- */
/* Makes the scheduling contexts of a run. NULL, or why not; vm_sched_release() takes them back. */
const char *vm_sched_take(struct vm *vm);
void vm_sched_release(struct vm *vm);
/* Thread of vCPU i, or TUNE_EMULATOR. Slot 0, or false: there is none. */
uint32_t vm_sched_slot(const struct vm *vm, uint32_t i);
/* What guests may use changes by swap(), which takes it back when it is called again: tells the
 * kernel of all threads, or, with the reason as the answer, of none. */
const char *vm_sched_retune(void (*swap)(void));
bool vm_sched_info(const struct vm *vm, uint32_t i, struct sc_info *info);
/* flags: MGR_TUNE_*. The settings that they mean; NULL: *why. */
const struct tune *vm_tune(const struct vm *vm, uint32_t flags, const char **why);
/* Applies edit(copy, context) to the settings that flags mean, all or nothing. NULL, or why not. */
typedef const char *vm_tune_edit(struct tune *tune, const void *context);
const char *vm_change_tune(struct vm *vm, uint32_t flags, vm_tune_edit *edit, const void *context);

/* --- vm_stats.c --- */
/* Time that all threads of this run have run, ns. */
uint64_t vm_run_time_ns(const struct vm *vm);
/* False if the domain has no such vCPU. */
bool vm_read_stats(const struct vm *vm, uint32_t vcpu, struct mgr_stats *out);
/* Fills in sizes and counters of all its disks. */
void vm_read_disk_stats(const struct vm *vm, struct mgr_disk *disks);

#endif
