/* SPDX-License-Identifier: BSD-2-Clause */
/* Start of the virtualisation layer: virt_init() picks the vendor on the boot CPU, virt_cpu_init()
 * enables each CPU (both declared in kernel/machine.h). Without a vendor the kernel goes on and has
 * said in one sentence why it cannot run guests; vcpu_run gives ERR_CPU on a CPU that cannot. */
#ifndef VIRT_VIRT_H
#define VIRT_VIRT_H

#include "abi/kinfo.h"
#include "lib/types.h"

extern uint64_t virt_assists; /* ASSIST_* in use */

#endif
