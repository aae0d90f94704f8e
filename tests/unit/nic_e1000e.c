/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of its family against a model of the chip. */
#include "drivers/nic/e1000e/e1000e.c"

#define CHIP       nic_e1000e
#define FAMILY     SIM_EXTENDED
#define CHIP_PAIRS 2u
#include "tests/unit/nic_intel_tests.h"
