/* SPDX-License-Identifier: BSD-2-Clause */
/* The image always holds every component that the host enables, in the standard format: an owner
 * that lowers its XCR0 keeps what the registers held, as on a bare CPU. */
#include "arch/x86_64/fpu.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/platform.h"
#include "lib/string.h"

#define FCW_OFFSET   0u
#define MXCSR_OFFSET 24u
#define FCW_INIT     0x037fu /* as FNINIT leaves it */
#define MXCSR_INIT   0x1f80u
#define XCR0_INIT    1ull /* x87 only, as after a reset */
#define LEGACY_SIZE  512u
#define XSAVE_HEADER 64u

/* XSTATE_BV is 0: XRSTOR from it puts every component into its initial state. */
static const uint8_t init_image[LEGACY_SIZE + XSAVE_HEADER] __attribute__((aligned(64))) = {
    [FCW_OFFSET] = FCW_INIT & 0xff,
    [FCW_OFFSET + 1] = FCW_INIT >> 8,
    [MXCSR_OFFSET] = MXCSR_INIT & 0xff,
    [MXCSR_OFFSET + 1] = MXCSR_INIT >> 8,
};

uint64_t fpu_area_bytes(void)
{
    return PAGE_SIZE << kmem_order(features.xsave_size);
}

bool fpu_area_init(struct fpu_area *area)
{
    uint32_t order = kmem_order(features.xsave_size);
    void *image = kmem_pages(order);
    if (!image)
        return false;
    memcpy(image, init_image, sizeof(init_image));
    *area = (struct fpu_area){.xcr0 = XCR0_INIT, .order = order, .image = image};
    return true;
}

void fpu_area_fini(struct fpu_area *area)
{
    if (area->image)
        kmem_free_pages(area->image, area->order);
    area->image = NULL;
}

static void clear_ts(void)
{
    __asm__ volatile("clts" ::: "memory");
}

static void set_xcr0(uint64_t value)
{
    /* Reading is cheap everywhere, writing leaves to an outer hypervisor when there is one. */
    if (features.xsave && xgetbv0() != value)
        xsetbv0(value);
}

/* TS clear, XCR0 = features.xcr0. */
static void save(void *image)
{
    uint32_t lo = (uint32_t)features.xcr0, hi = (uint32_t)(features.xcr0 >> 32);

    if (features.xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" ::"r"(image), "a"(lo), "d"(hi) : "memory");
    else if (features.xsave)
        __asm__ volatile("xsave64 (%0)" ::"r"(image), "a"(lo), "d"(hi) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(image) : "memory");
}

/* AMD's FXRSTOR and XRSTOR leave FIP, FDP and FOP alone unless an exception is pending in the image
 * (APM vol. 2, "FXSAVE and FXRSTOR Instructions"), which would show one owner's to the next. */
static void clear_error_pointers(void)
{
    static const uint32_t zero;
    if (!features.error_pointers)
        __asm__ volatile("fnclex; emms; fildl %0" ::"m"(zero));
}

static void restore(const void *image)
{
    uint32_t lo = (uint32_t)features.xcr0, hi = (uint32_t)(features.xcr0 >> 32);

    clear_error_pointers();
    if (features.xsave)
        __asm__ volatile("xrstor64 (%0)" ::"r"(image), "a"(lo), "d"(hi) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(image) : "memory");
}

static void save_owner(struct cpu *cpu)
{
    struct fpu_area *owner = cpu->fpu_owner;
    if (!owner)
        return;
    save(owner->image);
    owner->loaded = NULL;
    cpu->fpu_owner = NULL;
}

void fpu_load(struct fpu_area *area)
{
    struct cpu *cpu = cpu_self();

    clear_ts();
    if (cpu->fpu_owner == area)
        return;
    set_xcr0(features.xcr0);
    save_owner(cpu);
    restore(area->image);
    area->loaded = cpu;
    cpu->fpu_owner = area;
    set_xcr0(area->xcr0);
}

void fpu_release(void)
{
    struct cpu *cpu = cpu_self();

    if (cpu->fpu_owner) {
        clear_ts();
        set_xcr0(features.xcr0);
        save_owner(cpu);
        restore(init_image);
    }
    fpu_protect();
}

void fpu_protect(void)
{
    uint64_t cr0 = read_cr0();
    if (!(cr0 & CR0_TS))
        write_cr0(cr0 | CR0_TS);
}
