/* SPDX-License-Identifier: BSD-2-Clause */
/* Serves what the console asks (manager/protocol.h) and what VMMs report (vmm/config.h). */
#ifndef MANAGER_RPC_RPC_H
#define MANAGER_RPC_RPC_H

#include <stdint.h>
#include "abi/kinfo.h"
#include "abi/utcb.h"

void rpc_init(const struct root_info *info, uint32_t machine_slot);
/* Serves the call in the UTCB and leaves the reply there: its words, and capabilities << 32. */
uint64_t rpc_serve(struct utcb *utcb, uint64_t badge, uint32_t words);

#endif
