/* SPDX-License-Identifier: BSD-2-Clause */
/* After a VM entry that failed: which rule does the guest's state break? (Intel SDM vol. 3, "Checks
 * on the Guest State Area".) */
#ifndef VMM_VMX_RULES_H
#define VMM_VMX_RULES_H

#include "abi/vmx_state.h"

/* The first rule that is broken, in the manual's order; NULL: none is. */
const char *vmx_rule(const struct vmx_state *s);

#endif
