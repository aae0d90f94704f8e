/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_KINFO_H
#define KERNEL_KINFO_H

#include "abi/kinfo.h"

/* The page that every domain sees at KINFO_VA. */
extern struct kinfo *kinfo;

#endif
