/* SPDX-License-Identifier: BSD-2-Clause */
/* Entered from arch/x86_64/entry.S. */
#ifndef KERNEL_DISPATCH_H
#define KERNEL_DISPATCH_H

#include "arch/x86_64/regs.h"

/* An interrupt or exception while ring 3 ran; registers are in the current thread. Returns what to
 * load. */
struct regs *user_interrupt(void);
/* An interrupt while ring 0 had interrupts on, or an exception in ring 0 (a bug: panic). */
void kernel_interrupt(const struct regs *regs);
uint32_t ist_interrupt(const struct regs *regs);
/* Upward from arch: another CPU panics, or a watchdog. */
void nmi_interrupt(const struct regs *regs);
/* The port bitmap of a domain changed: CPUs that run it take the new one over. */
struct pd;
void ports_changed(struct pd *pd);
/* entry.S: loads the registers and goes to ring 3. */
__attribute__((noreturn)) void return_to_user_regs(struct regs *regs);

#endif
