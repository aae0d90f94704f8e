/* SPDX-License-Identifier: BSD-2-Clause */
#define BOOT_PARSER multiboot2_parse
#include "boot/multiboot2.c"
#include "tests/fuzz/boot_parser.h"
