/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of its family against a model of the chip. */
#include "drivers/nic/e1000/e1000.c"

#define CHIP       nic_e1000
#define FAMILY     SIM_LEGACY
#define CHIP_PAIRS 1u
#include "tests/unit/nic_intel_tests.h"
