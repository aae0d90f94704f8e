/* SPDX-License-Identifier: BSD-2-Clause */
/* Layout of 64-bit ELF files. (System V ABI, "ELF Header" and "Program Header".) */
#ifndef LIB_ELF64_H
#define LIB_ELF64_H

#include <stdint.h>

struct elf64_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf64_header) == 64, "ELF header");

struct elf64_program {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf64_program) == 56, "ELF program header");

#define ET_EXEC    2u
#define EM_X86_64  62u
#define PT_LOAD    1u
#define PT_DYNAMIC 2u
#define PT_INTERP  3u
#define PT_TLS     7u
#define PF_X       1u
#define PF_W       2u

#endif
