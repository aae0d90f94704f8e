/* SPDX-License-Identifier: BSD-2-Clause */
#define BOOT_PARSER uefi_handoff_parse
#include "boot/uefi_handoff.c"
#include "tests/fuzz/boot_parser.h"
