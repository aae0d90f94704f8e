/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

/* A started CPU, on the boot stack and in the boot page tables. */
_Noreturn void smp_cpu_entry(void);

#endif
