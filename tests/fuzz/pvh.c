/* SPDX-License-Identifier: BSD-2-Clause */
#define BOOT_PARSER pvh_parse
#include "boot/pvh.c"
#include "tests/fuzz/boot_parser.h"
