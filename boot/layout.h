/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses that assembly, linker script and C agree on. */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

/* The kernel image is linked at KERNEL_VMA + KERNEL_LINK_PA. A loader may put it at any 2 MiB
 * aligned address below 4 GiB; the virtual addresses stay. */
#define KERNEL_VMA       0xffffffff80000000
#define KERNEL_LINK_PA   0x1000000
#define EARLY_WINDOW_VMA 0xffffffffc0000000 /* early_map(): the last GiB */
#define BOOT_STACK_SIZE  16384

/* Which entry was used, for boot_main(). */
#define BOOT_KIND_MULTIBOOT2 1
#define BOOT_KIND_PVH        2
#define BOOT_KIND_UEFI       3
#define BOOT_KIND_CPU        4 /* a further CPU, from arch/x86_64/trampoline.S */

#define BOOT_SEL_CODE32 0x18 /* in boot_gdt */

#endif
