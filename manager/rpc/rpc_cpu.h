/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's CPUs and pools of them, as the console asks for them. */
#ifndef MANAGER_RPC_RPC_CPU_H
#define MANAGER_RPC_RPC_CPU_H

#include <stdint.h>
#include "abi/utcb.h"

/* MGR_OP_CPU, MGR_OP_CPUPOOLS, MGR_OP_CPUPOOL; words and capabilities of the answer, as
 * rpc_serve(). */
uint64_t rpc_cpu(struct utcb *utcb, uint32_t machine);
uint64_t rpc_cpupools(struct utcb *utcb);
uint64_t rpc_cpupool(struct utcb *utcb, uint32_t words);

#endif
