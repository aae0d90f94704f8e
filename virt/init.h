/* SPDX-License-Identifier: BSD-2-Clause */
/* States of a vCPU after power-up, INIT and SIPI. */
#ifndef VIRT_INIT_H
#define VIRT_INIT_H

#include "virt/vcpu.h"

#define RFLAGS_FIXED 0x2ull
#define RFLAGS_TF    0x100ull
#define RFLAGS_IF    0x200ull

/* Outside. init: by the INIT signal, which keeps what the manuals list (TSC, FPU, MSRs). */
void vcpu_reset(struct vcpu *vcpu, bool init);
/* Start-up IPI: real mode at vector << 12. */
void vcpu_startup(struct vcpu *vcpu, uint8_t vector);

#endif
