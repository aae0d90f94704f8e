/* SPDX-License-Identifier: BSD-2-Clause */
/* What there is to tell the switch about its ports and networks: between switch.c, which answers
 * its calls, and netport.c, which knows the ports. */
#ifndef MANAGER_NETWORK_NETPORT_JOBS_H
#define MANAGER_NETWORK_NETPORT_JOBS_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/utcb.h"

/* The next job into the UTCB; words and capabilities << 32 of the answer. */
uint64_t netport_next(struct utcb *utcb);
/* Memory objects of a port's area, from `first` on. */
uint64_t netport_memory(struct utcb *utcb, uint64_t port, uint64_t first);
/* The switch said that a job is done. False: it was told of none. */
bool netport_done(uint64_t job, uint64_t index, uint64_t refusal);
/* It has been told of something that it has not answered, or is to be. */
bool netport_is_busy(void);
/* The switch died: the next one is told everything again. */
void netport_switch_died(void);
/* Bytes of page tables that the open ports need in the switch. */
uint64_t netport_tables(void);

#endif
