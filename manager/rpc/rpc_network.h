/* SPDX-License-Identifier: BSD-2-Clause */
/* What the console asks about networks. */
#ifndef MANAGER_RPC_RPC_NETWORK_H
#define MANAGER_RPC_RPC_NETWORK_H

#include "abi/utcb.h"

/* MGR_OP_NETWORKS, MGR_OP_NETPORTS; words of the reply. */
uint64_t rpc_networks(struct utcb *utcb);
uint64_t rpc_netports(struct utcb *utcb, const char *name);
/* MGR_OP_CAPTURE. */
uint64_t rpc_capture(struct utcb *utcb, const char *name, uint32_t words);

#endif
