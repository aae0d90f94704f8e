/* SPDX-License-Identifier: BSD-2-Clause */
/* PVH entry: the ELF note that names it, and the entry ("x86/HVM direct boot ABI"). EBX is the
 * host-physical address of struct hvm_start_info. */
#include "boot/layout.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18

    .section .note.mullion, "a", @note
    .balign 4
    .long 4, 8, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad boot_entry_pvh - KERNEL_VMA

    .text
    .code32
    .globl boot_entry_pvh
boot_entry_pvh:
    movl $BOOT_KIND_PVH, %edi
    jmp boot_entry32

    .section .note.GNU-stack, "", @progbits
