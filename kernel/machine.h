/* SPDX-License-Identifier: BSD-2-Clause */
/* What concerns the whole machine. */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "kernel/space.h"

/* Upward, defined in virt/guest.c. */
struct space *guest_space(struct obj *guest);
/* Starts virtualisation on this CPU; logs why not. Upward, defined in virt/. */
void virt_init(void);
void virt_cpu_init(void);

#endif
