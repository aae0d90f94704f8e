/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager tells a VMM (the data behind its struct program_args), and the protocol between
 * the two. One VMM process serves one run of one guest: a reboot is a new process. */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include <stdint.h>

#define VMM_CONFIG_MAGIC 0x4d564d4d43464731ull
#define VMM_MAX_VCPUS    64u
#define VMM_MAX_RAM      32u
#define VMM_CMDLINE      2048u
#define VMM_MAX_FEATURES 32u
#define VMM_MAX_DISKS    8u
#define VMM_MAX_NETS     8u

/* Index into program_args.slot[]. */
enum vmm_slot {
    VMM_SLOT_KERNEL,       /* memory, read-only: kernel image (vmm_config.kernel) */
    VMM_SLOT_INITRD,       /* memory, read-only */
    VMM_SLOT_FIRMWARE,     /* memory, read-only: firmware image */
    VMM_SLOT_SERIAL_RING,  /* memory: serial output ring page(s), then input ring: see VMM_RING_* */
    VMM_SLOT_CONSOLE_RING, /* memory: the same for the virtio console */
    VMM_SLOT_STATS,        /* memory, writable: struct vmm_stats */
    VMM_SLOT_CONSOLE_NOTIF, /* notification of the console program, badge = this guest's bits */
    VMM_SLOT_DISK,          /* VMM_SLOT_DISK_MEMORY(i), VMM_SLOT_DISK_PEER(i) of each disk */
    VMM_SLOT_RAM = VMM_SLOT_DISK + 4 * VMM_MAX_DISKS /* first of ram_count memory capabilities */
};
/* Disk i. Backing VMM_DISK_CHANNEL: memory with its struct blk_channel, read and write; the
 * driver's notification, which the VMM signals with vmm_disk.driver_bits. Backing VMM_DISK_IMAGE:
 * memory with the image, read; memory for its overlay, read and write, if overlay_size is not 0.
 * Backing VMM_DISK_LAYER: what a channel has, and behind it what an image has; the driver has the
 * latter's second memory as that of the number ram_count. */
#define VMM_SLOT_DISK_MEMORY(i) (VMM_SLOT_DISK + 4 * (i))
#define VMM_SLOT_DISK_PEER(i)   (VMM_SLOT_DISK + 4 * (i) + 1)
#define VMM_SLOT_DISK_IMAGE(i)  (VMM_SLOT_DISK + 4 * (i) + 2)
#define VMM_SLOT_DISK_MAP(i)    (VMM_SLOT_DISK + 4 * (i) + 3)

/* Scheduling context of vCPU i's thread: the manager's, which decides what the guest may use. */
#define VMM_SLOT_SC(i) (VMM_SLOT_RAM + VMM_MAX_RAM + (i))

/* Network interface i: memory with its struct frame_channel, the switch's notification, which the
 * VMM signals with vmm_net.switch_bits, and the bounce memory, if vmm_net.bounce_size is not 0: all
 * to read and write. */
#define VMM_SLOT_NET(i)         (VMM_SLOT_SC(VMM_MAX_VCPUS) + 3 * (i))
#define VMM_SLOT_NET_CHANNEL(i) VMM_SLOT_NET(i)
#define VMM_SLOT_NET_SWITCH(i)  (VMM_SLOT_NET(i) + 1)
#define VMM_SLOT_NET_BOUNCE(i)  (VMM_SLOT_NET(i) + 2)
#define VMM_SLOTS               VMM_SLOT_NET(VMM_MAX_NETS)

/* A ring capability covers VMM_RING_BYTES: output ring (guest to console) in the first half, input
 * ring in the second; data size of each is VMM_RING_BYTES / 2 - sizeof(struct ring_shared), rounded
 * down to a power of two. */
#define VMM_RING_BYTES 16384u
#define VMM_RING_DATA  4096u

enum vmm_boot {
    VMM_BOOT_LINUX,
    VMM_BOOT_PVH,
    VMM_BOOT_MULTIBOOT,
    VMM_BOOT_FIRMWARE,
    VMM_BOOT_AUTO
};

struct vmm_image {
    uint64_t offset; /* inside its memory capability */
    uint64_t size;   /* bytes; 0: none */
    char name[128];  /* file name, for messages */
};

struct vmm_feature {
    char name[24];    /* libvirt's feature name: "avx2" */
    uint32_t require; /* 1: policy require/force, 0: policy disable/forbid */
};

enum vmm_disk_backing {
    VMM_DISK_CHANNEL, /* a driver serves it: user/block.h */
    VMM_DISK_IMAGE,   /* a file of the boot package */
    VMM_DISK_LAYER    /* such a file, and a driver's volume for what is written */
};

/* VMM_DISK_LAYER: pages of the map of an image, a bit a sector; bytes of the memory in which the
 * VMM keeps it: two pages, the map twice (vmm/disk_layer.h). */
#define VMM_LAYER_PAGE 4096u
static inline uint64_t vmm_layer_pages(uint64_t image_size)
{
    uint64_t span = 8ull * VMM_LAYER_PAGE * 512;
    return image_size / span + (image_size % span != 0);
}
static inline uint64_t vmm_layer_bytes(uint64_t image_size)
{
    return (2 + 2 * vmm_layer_pages(image_size)) * VMM_LAYER_PAGE;
}

enum vmm_disk_bus { VMM_BUS_VIRTIO, VMM_BUS_SATA };

enum vmm_disk_cache {
    VMM_CACHE_WRITEBACK,    /* the guest flushes: what it has not flushed may be lost */
    VMM_CACHE_WRITETHROUGH, /* a write that ended is on the medium */
    VMM_CACHE_UNSAFE        /* flushes are ignored */
};

/* Limits a second, averaged over one second; 0: none. */
enum vmm_disk_limit {
    VMM_LIMIT_TOTAL_BYTES,
    VMM_LIMIT_READ_BYTES,
    VMM_LIMIT_WRITE_BYTES,
    VMM_LIMIT_TOTAL_IOPS,
    VMM_LIMIT_READ_IOPS,
    VMM_LIMIT_WRITE_IOPS,
    VMM_LIMITS
};

/* On a channel, blk_segment.memory is the number of a piece of RAM (ram_size[]), and its offset
 * counts from the start of VMM_SLOT_RAM + memory: the driver gets the same capabilities in the same
 * order. So a guest with a channel has at most BLK_RAM_MAX pieces. */
struct vmm_disk {
    uint32_t backing;    /* enum vmm_disk_backing */
    uint32_t bus;        /* enum vmm_disk_bus */
    uint32_t cache;      /* enum vmm_disk_cache */
    uint32_t boot_order; /* 1..; 0: not a boot device */
    uint8_t read_only, cdrom;
    uint8_t discard; /* 1: the guest may discard */
    uint8_t pad[5];
    char target[16];          /* "vda" */
    char serial[24];          /* empty: the channel's own, or none */
    uint64_t driver_bits;     /* VMM_DISK_CHANNEL, VMM_DISK_LAYER */
    struct vmm_image image;   /* VMM_DISK_IMAGE, VMM_DISK_LAYER */
    uint8_t image_sha256[32]; /* VMM_DISK_LAYER */
    /* VMM_DISK_IMAGE: bytes of the overlay's memory; 0: none. VMM_DISK_LAYER:
     * vmm_layer_bytes() of the image's size. */
    uint64_t overlay_size;
    uint64_t limit[VMM_LIMITS];
};

enum vmm_net_model { VMM_NET_VIRTIO, VMM_NET_E1000 };

/* vmm_net.without: what a virtio card does not offer. HOST: for frames that the guest sends; GUEST:
 * for those that it receives. Without CSUM there is none of the others on that side. */
#define VMM_NET_HOST_CSUM  0x1u
#define VMM_NET_HOST_TSO4  0x2u
#define VMM_NET_HOST_TSO6  0x4u
#define VMM_NET_HOST_ECN   0x8u
#define VMM_NET_HOST_USO   0x10u
#define VMM_NET_MRG_RXBUF  0x20u
#define VMM_NET_GUEST_CSUM 0x100u
#define VMM_NET_GUEST_TSO4 0x200u
#define VMM_NET_GUEST_TSO6 0x400u
#define VMM_NET_GUEST_ECN  0x800u
#define VMM_NET_GUEST_USO  0x1000u
#define VMM_NET_HOST_ALL   0x1fu
#define VMM_NET_GUEST_ALL  0x1f00u

/* A network interface. The area of its channel: all pieces of RAM in their order, then the bounce
 * memory. So a guest with a network has at most SWITCH_MEMORIES_MAX pieces, with bounce memory one
 * less. */
struct vmm_net {
    uint32_t model;      /* enum vmm_net_model */
    uint32_t pairs;      /* of rings, 1..FRAME_PAIRS_MAX */
    uint32_t mtu;        /* bytes of payload; 0: the network's */
    uint32_t boot_order; /* 1..; 0: not a boot device */
    uint8_t mac[8];      /* six bytes */
    char target[16];     /* "vnet0" */
    uint64_t switch_bits;
    uint64_t channel_size; /* bytes */
    uint64_t bounce_size;  /* bytes; 0: none */
    uint32_t without;      /* VMM_NET_* */
    uint32_t pad;
};
#define VMM_NET_BOUNCE (128u << 10) /* what an e1000 needs: 256 bytes for each entry of a ring */

struct vmm_config {
    uint64_t magic;
    char name[64];
    uint8_t uuid[16];
    uint32_t vcpus;
    uint32_t boot; /* enum vmm_boot; AUTO: by the image's own headers */
    uint32_t pad0;
    uint32_t ram_count;
    uint64_t ram_size[VMM_MAX_RAM]; /* bytes, multiples of 4 KiB; in guest-physical order */
    uint64_t memory;                /* sum, bytes */
    struct vmm_image kernel, initrd, firmware;
    char cmdline[VMM_CMDLINE];
    uint8_t has_serial; /* 16550 at 0x3f8 */
    uint8_t has_virtio_console;
    uint8_t has_rng;
    uint8_t has_balloon;
    uint8_t has_kvm_pv; /* KVM leaves and clock (default 1) */
    uint8_t clock_localtime;
    uint8_t pad[2];
    int64_t clock_offset_s;
    uint64_t tsc_hz; /* 0: the host's */
    uint32_t feature_count;
    struct vmm_feature feature[VMM_MAX_FEATURES];
    uint64_t rtc_base; /* Unix time at TSC rtc_tsc, from the host's RTC */
    uint64_t rtc_tsc;
    uint32_t disk_count;
    uint32_t disk_pad;
    struct vmm_disk disk[VMM_MAX_DISKS]; /* in the order of PCI slots: vda first */
    uint32_t net_count;
    uint32_t net_pad;
    struct vmm_net net[VMM_MAX_NETS]; /* in the order of PCI slots */
};

/* Manager to VMM: bits of the VMM's notification (SLOT_NOTIF). */
#define VMM_CTL_SHUTDOWN (1ull << 0) /* press the ACPI power button */
#define VMM_CTL_SUSPEND  (1ull << 1)
#define VMM_CTL_RESUME   (1ull << 2)
#define VMM_CTL_STATS    (1ull << 3) /* refresh vmm_stats */
#define VMM_CTL_NMI      (1ull << 4)
#define VMM_CTL_RESET    (1ull << 5) /* reports VMM_EVENT_RESET when all vCPUs stand */
/* Refresh vmm_stats after: writes of the guest are counted from now on; they have been till now. */
#define VMM_CTL_DIRTY_START (1ull << 6)
#define VMM_CTL_DIRTY_STOP  (1ull << 7)
#define VMM_CTL_ORDERS      0xffull /* of these, any */
/* Console program to VMM, same notification. */
#define VMM_CTL_SERIAL_IN   (1ull << 8)
#define VMM_CTL_SERIAL_ROOM (1ull << 9)
#define VMM_CTL_HVC_IN      (1ull << 10)
#define VMM_CTL_HVC_ROOM    (1ull << 11)
/* Disk drivers to VMM, same notification: blk_channel.ended or .generation of some channel moved.
 */
#define VMM_CTL_DISK (1ull << 12)
/* The switch to VMM, same notification: something in some frame_channel moved. */
#define VMM_CTL_NET (1ull << 13)
/* From bit 16 on: the VMM's own use (doorbells, timers). */
#define VMM_CTL_OWN_SHIFT 16u

/* VMM to manager: portal_call on SLOT_PARENT. mr[0] = event, mr[1..] as below. Text is UTF-8 packed
 * into mr[8..], zero-terminated, at most 1 KiB. The manager replies with mr[0] = status. */
enum vmm_event {
    VMM_EVENT_RUNNING = 1, /* first guest instruction is about to run */
    VMM_EVENT_POWEROFF,    /* ACPI S5: follow on_poweroff */
    VMM_EVENT_RESET,       /* reset requested by the guest or VMM_CTL_RESET: follow on_reboot */
    VMM_EVENT_CRASH,   /* triple fault, invalid state, guest panic (pvpanic): follow on_crash; text:
                          reason and registers */
    VMM_EVENT_REFUSED, /* the definition or an image cannot be honoured; text: reason */
    VMM_EVENT_SUSPENDED,
    VMM_EVENT_RESUMED
};

enum vmm_disk_stat {
    DISK_STAT_READS,
    DISK_STAT_READ_BYTES,
    DISK_STAT_READ_NS, /* sums of times from taking a request to its answer */
    DISK_STAT_WRITES,
    DISK_STAT_WRITTEN_BYTES,
    DISK_STAT_WRITE_NS,
    DISK_STAT_FLUSHES,
    DISK_STAT_FLUSH_NS,
    DISK_STAT_DISCARDS, /* and write-zeroes */
    DISK_STAT_ERRORS,   /* requests that ended with an error */
    DISK_STAT_DELAYED,  /* requests that waited for a limit */
    DISK_STATS
};

/* What the guest wrote between VMM_CTL_DIRTY_START and _STOP; see guest_dirty(). */
struct vmm_dirty {
    int64_t status;  /* ERR_*: it could not be counted; ERR_STATE: not asked for yet, or still
                        counting */
    uint64_t pages;  /* of 4 KiB */
    uint64_t ns;     /* of counting */
    uint64_t logged; /* 1: STAT_DIRTY of each vCPU counts, too */
};

/* Counters the VMM keeps in VMM_SLOT_STATS. */
struct vmm_stats {
    uint64_t sequence; /* odd while being written */
    uint64_t balloon_pages;
    uint64_t vcpu_count;
    struct vmm_dirty dirty;
    struct {
        uint64_t state;         /* VCPU_RUN_* or 3: suspended */
        uint64_t stat[32];      /* enum vcpu_stat */
        uint64_t vmm_exits[32]; /* by enum vcpu_exit: handled in the VMM */
    } vcpu[VMM_MAX_VCPUS];
    uint64_t disk_count;
    struct {
        uint64_t sectors; /* of 512 bytes */
        uint64_t stat[DISK_STATS];
    } disk[VMM_MAX_DISKS];
};

#endif
