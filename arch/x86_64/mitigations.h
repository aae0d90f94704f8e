/* SPDX-License-Identifier: BSD-2-Clause */
/* Speculation control beyond platform.h. */
#ifndef ARCH_MITIGATIONS_H
#define ARCH_MITIGATIONS_H

#include "arch/x86_64/platform.h"

/* Each CPU: the MSR bits that stay on. Does nothing before mitigations_init. */
void mitigations_init_cpu(void);
/* Value of IA32_SPEC_CTRL in ring 0: to be restored after a guest that had its own. 0 where the MSR
 * does not exist. */
extern uint64_t host_spec_ctrl;

#endif
