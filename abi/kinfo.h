/* SPDX-License-Identifier: BSD-2-Clause */
/* Read-only pages through which the kernel describes the machine. */
#ifndef ABI_KINFO_H
#define ABI_KINFO_H

#include <stdint.h>

#define USER_TOP 0x00007fffffff0000ull /* first address ring 3 may not map */
#define KINFO_VA 0x00007ffffffff000ull /* struct kinfo, mapped into every domain */

enum cpu_vendor { VENDOR_OTHER, VENDOR_AMD, VENDOR_INTEL };
enum virt_kind { VIRT_NONE, VIRT_SVM, VIRT_VMX };

struct kinfo {
    uint32_t abi_version; /* KINFO_ABI_VERSION */
    uint32_t cpu_count;   /* CPUs that are up, numbered 0..cpu_count-1 */
    uint64_t tsc_khz;
    uint32_t vendor;  /* enum cpu_vendor */
    uint32_t virt;    /* enum virt_kind */
    uint64_t assists; /* ASSIST_* in use */
    char cpu_name[48];
    char version[32]; /* Mullion's version */
    uint64_t xcr0;    /* state components that guests may use; 0: no XSAVE */
};
#define KINFO_ABI_VERSION 1u

/* Hardware assists in use (kinfo.assists). */
#define ASSIST_NEXT_RIP      (1ull << 0)
#define ASSIST_DECODE        (1ull << 1)
#define ASSIST_FLUSH_ASID    (1ull << 2)
#define ASSIST_CLEAN_BITS    (1ull << 3)
#define ASSIST_VGIF          (1ull << 4)
#define ASSIST_PAUSE_FILTER  (1ull << 5)
#define ASSIST_TSC_SCALING   (1ull << 6)
#define ASSIST_UNRESTRICTED  (1ull << 7)
#define ASSIST_APIC_REGS     (1ull << 8)
#define ASSIST_VIRT_INTR     (1ull << 9)
#define ASSIST_POSTED_INTR   (1ull << 10)
#define ASSIST_PREEMPT_TIMER (1ull << 11)
#define ASSIST_PML           (1ull << 12)
#define ASSIST_HOST_X2APIC   (1ull << 13)
#define ASSIST_HOST_DEADLINE (1ull << 14)
#define ASSIST_DIRTY         (1ull << 15) /* guest_dirty() works */
#define ASSIST_FAST_STRINGS  (1ull << 16) /* firmware has left fast string operations on */

enum root_mem_kind {
    ROOT_MEM_RAM,      /* free memory, content undefined */
    ROOT_MEM_PACKAGE,  /* the boot package; becomes free when the manager is done with it */
    ROOT_MEM_MMIO,     /* device address space outside RAM */
    ROOT_MEM_FIRMWARE, /* ACPI tables, reserved memory: map read-only, never reuse */
    ROOT_MEM_RECLAIM,  /* ACPI reclaimable: read the tables, then free */
    ROOT_MEM_SELF      /* the root task's own data and stack */
};

struct root_mem {
    uint64_t base; /* host-physical, page aligned */
    uint64_t size;
    uint32_t kind; /* enum root_mem_kind */
    uint32_t node; /* proximity domain from SRAT, 0 without */
};

struct root_framebuffer {
    uint64_t base; /* 0: none; VGA text at 0xb8000 if vga_text */
    uint32_t pitch, width, height;
    uint8_t bpp, red_shift, green_shift, blue_shift;
    uint32_t vga_text; /* 1: 80x25 text mode is active */
};

/* Where the kernel puts the root task's first stack, UTCB and struct root_info. */
#define ROOT_STACK_TOP  0x00007ffff0000000ull
#define ROOT_STACK_SIZE 0x10000ull
#define ROOT_UTCB_VA    0x00007ffff0010000ull
#define ROOT_INFO_VA    0x00007fffe0000000ull

#define ROOT_MEM_MAX 160u
#define ROOT_CMDLINE 1024u
#define ROOT_NODES   16u /* whose distances are told */

/* Passed to the root task only: mapped read-only, its address in RDI at the entry point. */
struct root_info {
    uint32_t mem_count; /* capability of mem[i] is in slot SLOT_ROOT_MEM + i */
    uint32_t numa_nodes;
    uint64_t package_size; /* exact bytes of the package inside ROOT_MEM_PACKAGE */
    uint64_t acpi_root;    /* host-physical address of the XSDT or RSDT, 0: none */
    uint64_t mcfg_base;    /* ECAM window of segment 0, 0: none */
    uint32_t mcfg_bus_start, mcfg_bus_end;
    uint64_t kmem_size;   /* kernel pool, bytes */
    uint64_t boot_tsc;    /* TSC at kernel entry */
    char boot_method[16]; /* "multiboot2", "pvh", "uefi" */
    char cmdline[ROOT_CMDLINE];
    struct root_framebuffer fb;
    uint8_t distance[ROOT_NODES][ROOT_NODES]; /* from SLIT: 10 is local; all 0: it has none */
    struct root_mem mem[ROOT_MEM_MAX];
};

#endif
