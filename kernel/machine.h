/* SPDX-License-Identifier: BSD-2-Clause */
/* What concerns the whole machine. */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "abi/kinfo.h"
#include "kernel/space.h"

/* Upward, defined in virt/guest.c. */
struct space *guest_space(struct obj *guest);
/* Upward, defined in virt/virt.c. Boot CPU, after the command line and the CPU's features are
 * known: picks the vendor. Without one the kernel goes on and says in one sentence why it cannot
 * run guests. */
void virt_init(void);
/* Each CPU on itself. false: this CPU cannot run guests (vcpu_run there gives ERR_CPU). */
bool virt_init_cpu(struct cpu *cpu);
/* For struct kinfo. */
enum virt_kind virt_kind(void);
extern uint64_t virt_assists; /* ASSIST_* in use */

#endif
