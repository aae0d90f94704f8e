/* SPDX-License-Identifier: BSD-2-Clause */
/* The text that an owner reads when a guest dies. */
#ifndef VMM_CRASH_H
#define VMM_CRASH_H

#include <stddef.h>
#include <stdint.h>
#include "vmm/emulate.h"

/* Reason, registers, segments, control registers, bytes at RIP, words of the stack. Cut at size. */
void crash_text(char *text, size_t size, const char *reason, uint32_t vcpu, struct emul *emul);

#endif
