/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the kernel log and the panic screen. */
#ifndef ARCH_KLOG_PANIC_H
#define ARCH_KLOG_PANIC_H

#include "lib/types.h"

/* This CPU prints alone from now on: no lock, and out on every device. Returns the log's head. */
uint64_t klog_enter_panic(void);
/* Keeps the log from a little before `start` for the run after the reset. */
void klog_keep(uint64_t start);

#endif
