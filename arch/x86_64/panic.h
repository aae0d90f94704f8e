/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_PANIC_H
#define ARCH_PANIC_H

#include "arch/x86_64/regs.h"

/* The NMI handler: does not return while another CPU panics. Takes no lock. */
void nmi_interrupt(const struct regs *regs);

#endif
