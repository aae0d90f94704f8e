/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended state (x87, SSE, AVX, ...). One owner a CPU at a time. Ring 0 and the VMM's hot path use
 * general registers only, so an exit costs no switch: CR0.TS is set when the owner is not the one
 * that runs, and #NM brings the state in. When a CPU goes from one domain to another, the old state
 * is saved and cleared at once, not lazily, so that nothing is left to speculate on. */
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

#include "arch/x86_64/cpu.h"

struct fpu_area {
    uint64_t xcr0;  /* XCR0 of the owner: guests change theirs with XSETBV; the state's format */
    uint32_t order; /* size of image, pages order */
    struct cpu *loaded; /* CPU that holds it in registers, NULL: memory is current */
    void *image;        /* XSAVE area, 64-byte aligned, kernel page */
};

uint64_t fpu_area_bytes(void);             /* kernel memory that one area takes */
bool fpu_area_init(struct fpu_area *area); /* architectural reset state; false: no memory */
void fpu_area_fini(struct fpu_area *area); /* must not be loaded anywhere */
/* Makes `area` the owner on this CPU, with its XCR0; clears TS. */
void fpu_load(struct fpu_area *area);
/* Saves the owner, if any, wipes the registers, sets TS. Must run before an area moves to another
 * CPU. */
void fpu_release(void);
/* Something else than the owner runs now: set TS (cheap). */
void fpu_protect(void);

#endif
