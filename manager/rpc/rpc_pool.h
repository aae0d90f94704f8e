/* SPDX-License-Identifier: BSD-2-Clause */
/* Volume pools, as the console asks for them. */
#ifndef MANAGER_RPC_RPC_POOL_H
#define MANAGER_RPC_RPC_POOL_H

#include <stdint.h>
#include "abi/utcb.h"

/* MGR_OP_POOLS to MGR_OP_ORDERED; words and capabilities of the answer, as rpc_serve(). */
uint64_t rpc_pool_serve(struct utcb *utcb, uint32_t words);

#endif
