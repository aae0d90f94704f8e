/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual machine: what the threads of this program share. One process, one guest, one run. */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include "abi/vcpu.h"
#include "vmm/config.h"
#include "vmm/device.h"
#include "vmm/disks.h"
#include "vmm/emulate.h"
#include "vmm/guest_mem.h"
#include "vmm/net.h"

/* Addresses in this process; guest memory is at VMM_GUEST_BASE. */
#define VMM_VCPU_VA     0x0000300000000000ull /* two pages a vCPU: exit page, XSAVE image */
#define VMM_VCPU_STEP   0x2000ull
#define VMM_KERNEL_VA   0x0000310000000000ull
#define VMM_INITRD_VA   0x0000320000000000ull
#define VMM_FIRMWARE_VA 0x0000330000000000ull
#define VMM_SERIAL_VA   0x0000340000000000ull
#define VMM_CONSOLE_VA  0x0000340000100000ull
#define VMM_STATS_VA    0x0000340000200000ull
#define VMM_DISK_VA     0x0000350000000000ull /* of each: channel or image, map, overlay or image */
#define VMM_DISK_STEP   0x0000020000000000ull
#define VMM_LAYER_AT    0x0000000100000000ull
#define VMM_OVERLAY_AT  0x0000010000000000ull
#define VMM_NET_VA      0x0000360000000000ull /* of each: channel, bounce memory */
#define VMM_NET_STEP    0x0000000010000000ull
#define VMM_BOUNCE_AT   0x0000000008000000ull

/* Own bits of SLOT_NOTIF: doorbells from VMM_CTL_OWN_SHIFT on, then these. */
#define VMM_BIT_STANDS (1ull << 62) /* a vCPU thread stands still */
#define VMM_BIT_TIMER  (1ull << 63)

/* What the event thread wants of the vCPU threads. */
enum vmm_wish { VMM_RUN, VMM_PAUSE, VMM_STOP };

struct vmm_vcpu {
    struct vmm *vmm;
    uint32_t index; /* also the APIC id */
    uint32_t slot;
    struct vcpu_page *page;
    struct user_thread thread;
    uint32_t stands; /* 1: parked; written by its thread */
    bool hlt_reported;
    uint64_t exits[VCPU_EXITS]; /* handled here, by reason; written by its thread */
    struct emul emul;
};

struct vmm {
    const struct program_args *args;
    const struct vmm_config *config;
    uint32_t guest; /* slot of the guest space */
    struct guest_mem mem;
    struct machine machine;
    struct vmm_vcpu *vcpu; /* config->vcpus of them */
    uint32_t phys_bits;

    uint32_t wish;   /* enum vmm_wish; vCPU threads look at it after each exit */
    uint32_t ending; /* 1: an event that ends the run is being written; 2: it is there */
    uint32_t end_event;
    char end_text[1024];
    struct vmm_stats *stats; /* NULL: the manager wants none */
    struct vmm_dirty dirty;  /* dirty.c's */
};

/* --- report.c: to the manager --- */
/* text may be NULL. Status of the call, or what the manager answered. */
int64_t report(uint32_t event, const char *text);
/* VMM_EVENT_REFUSED, then the end. */
__attribute__((format(printf, 1, 2), noreturn)) void refuse(const char *format, ...);

/* --- end.c --- */
/* The first reason to end counts; the vCPUs stop, then the manager hears of it. */
__attribute__((format(printf, 3, 4))) void vmm_end(struct vmm *vmm, uint32_t event,
                                                   const char *format, ...);
/* Ends with VMM_EVENT_CRASH: reason, then registers. From the vCPU's own thread. */
__attribute__((format(printf, 2, 3))) void vmm_crash(struct vmm_vcpu *vcpu, const char *format,
                                                     ...);

/* --- space.c --- */
void space_create(struct vmm *vmm);
/* Maps an image of the definition for reading; NULL if it has none. */
const uint8_t *space_map_image(const struct vmm *vmm, uint32_t index, const struct vmm_image *image,
                               uint64_t va);
void space_unmap_image(const struct vmm_image *image, uint64_t va);
/* What backs disk number i; refuses what cannot be. */
struct disk_source space_map_disk(const struct vmm *vmm, uint32_t i);
/* What interface number i stands on; refuses what cannot be. */
struct net_source space_map_net(const struct vmm *vmm, uint32_t i);
/* Firmware below 4 GiB, its last 128 KiB also below 1 MiB. */
void space_map_firmware(struct vmm *vmm);

/* --- cpuid.c, msr.c --- */
void cpuid_policy(struct vmm *vmm);
void msr_policy(struct vmm *vmm);

/* --- host.c --- */
extern const struct host_ops host_ops;

/* --- vcpu.c --- */
void vcpu_create_all(struct vmm *vmm);
void vcpu_start_all(struct vmm *vmm);
/* Wakes all vCPU threads, so that they look at vmm->wish. */
void vcpu_wake_all(struct vmm *vmm);
bool vcpu_all_stand(const struct vmm *vmm);
/* Makes groups current in the page. */
void vcpu_need(struct vmm_vcpu *vcpu, uint32_t groups);

/* --- vcpu_exit.c --- */
void vcpu_exit(struct vmm_vcpu *vcpu);
extern const struct emul_bus vcpu_bus;

/* --- task_switch.c --- */
/* VCPU_EXIT_TASK_SWITCH: page->exit.task. */
enum emul_result task_switch(struct emul *emul);

/* --- events.c --- */
/* The first thread's work: until the guest ends, and then until the manager ends this program. */
_Noreturn void events_run(struct vmm *vmm);
/* The event thread's (user/bell.h). */
struct bell *events_bell(void);

/* --- stats.c --- */
void stats_refresh(struct vmm *vmm, bool paused);

/* --- dirty.c: vmm->dirty --- */
void dirty_start(struct vmm *vmm);
void dirty_stop(struct vmm *vmm);

#endif
