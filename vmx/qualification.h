/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit qualifications. (Intel SDM vol. 3, "Basic VM-Exit Information".) */
#ifndef VMX_QUALIFICATION_H
#define VMX_QUALIFICATION_H

#include "virt/vcpu.h"

enum cr_access_type { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };
struct cr_access {
    uint8_t number, type, gpr;
    uint16_t source; /* LMSW */
};

struct cr_access qualification_cr(uint64_t qualification);
/* x->port, size, flags: IN, string and REP stand in bits 3 to 5 in the order of PIO_*. */
static inline void qualification_io(uint64_t qualification, struct vexit_info *x)
{
    uint32_t q = (uint32_t)qualification;
    x->port = (uint16_t)(q >> 16);
    x->size = (uint8_t)((q & 7) + 1);
    x->flags = q >> 3 & (PIO_IN | PIO_STRING | PIO_REP);
}
/* x->flags, gla_valid. */
void qualification_ept(uint64_t qualification, struct vexit_info *x);
/* x->task. */
void qualification_task(uint64_t qualification, struct vexit_info *x);
/* DR6 after a #DB that was intercepted: the CPU has not written it. */
uint64_t qualification_dr6(uint64_t qualification, uint64_t dr6);

#define EPT_NMI_UNBLOCKED (1ull << 12)

#endif
