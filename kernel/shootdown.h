/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERNEL_SHOOTDOWN_H
#define KERNEL_SHOOTDOWN_H

/* VEC_SHOOTDOWN, and every spin loop: carries out a pending request of this CPU. */
void shootdown_poll(void);

#endif
