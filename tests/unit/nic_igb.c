/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of its family against a model of the chip. */
#include "drivers/nic/igb/igb.c"

#define CHIP       nic_igb
#define FAMILY     SIM_ADVANCED
#define CHIP_PAIRS 1u
#include "tests/unit/nic_intel_tests.h"
