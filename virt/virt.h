/* SPDX-License-Identifier: BSD-2-Clause */
/* Start of the virtualisation layer. */
#ifndef VIRT_VIRT_H
#define VIRT_VIRT_H

#include "abi/kinfo.h"
#include "lib/types.h"

/* virt_init, virt_init_cpu, virt_kind: the kernel below calls them, so it declares them. */
#include "kernel/machine.h"

#endif
