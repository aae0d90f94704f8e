/* SPDX-License-Identifier: BSD-2-Clause */
/* The root task: the first program, loaded by the kernel itself, gets everything the kernel does
 * not keep. */
#ifndef KERNEL_ROOT_H
#define KERNEL_ROOT_H

struct bootinfo;

/* Verifies the boot package's index and the file "manager", loads it, hands it the machine, makes
 * it ready on this CPU. Panics with a sentence that names what is wrong with the package. */
void root_start(const struct bootinfo *info);

#endif
