/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot2 header and entry ("Multiboot2 Specification version 2.0"). */
#include "boot/layout.h"

#define MB2_HEADER_MAGIC 0xe85250d6
#define MB2_BOOT_MAGIC   0x36d76289

    .section .header, "a"
    .balign 8
mb2_header:
    .long MB2_HEADER_MAGIC, 0, mb2_header_end - mb2_header
    .long -(MB2_HEADER_MAGIC + mb2_header_end - mb2_header)
    /* Information request: memory map. */
    .balign 8
    .short 1, 0
    .long 12, 6
    /* Entry address: the ELF's own entry is the 64-bit one. */
    .balign 8
    .short 3, 0
    .long 12, boot_entry_multiboot2 - KERNEL_VMA
    /* Modules on page boundaries. */
    .balign 8
    .short 6, 0
    .long 8
    /* Relocatable: lowest 2 MiB aligned place from KERNEL_LINK_PA up. */
    .balign 8
    .short 10, 0
    .long 24, KERNEL_LINK_PA, 0xffffffff, 0x200000, 1
    /* There is no framebuffer tag: GRUB triple-faults on Bochs with one, even an optional one
     * (found by trying). A framebuffer comes through GRUB's gfxpayload. */
    .balign 8
    .short 0, 0
    .long 8
mb2_header_end:

    .text
    .code32
    .globl boot_entry_multiboot2
boot_entry_multiboot2:
    /* A kernel that was started by something else has no information structure in EBX. */
    cmpl $MB2_BOOT_MAGIC, %eax
    jne 1f
    movl $BOOT_KIND_MULTIBOOT2, %edi
    jmp boot_entry32
1:  cli
    hlt
    jmp 1b

    .section .note.GNU-stack, "", @progbits
