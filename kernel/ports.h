/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_PORTS_H
#define KERNEL_PORTS_H

#include "kernel/obj.h"

struct ports { /* OBJ_PORTS */
    struct obj obj;
    uint32_t base, count;
};

#endif
