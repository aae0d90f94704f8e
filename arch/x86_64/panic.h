/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef ARCH_PANIC_H
#define ARCH_PANIC_H

/* For the handlers of NMI and VEC_STOP: does not return while another CPU panics. */
void panic_check(void);

#endif
