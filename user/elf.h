/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the one kind of ELF image that Mullion starts: a static x86-64 executable whose segments
 * are page aligned in file and memory (user/program.ld). Anything else is refused with a reason. */
#ifndef USER_ELF_H
#define USER_ELF_H

#include <stddef.h>
#include <stdint.h>

#define ELF_PAGE        4096u
#define ELF_SEGMENTS    8u
#define ELF_LOWEST      0x10000ull            /* no segment below: catches null pointers */
#define ELF_HIGHEST     0x0000600000000000ull /* PROGRAM_HEAP_VA: no segment reaches above */
#define ELF_SEGMENT_MAX (64ull << 20)         /* bytes of one segment in memory */

#define ELF_EXEC  0x1u
#define ELF_WRITE 0x2u
#define ELF_READ  0x4u

struct elf_segment {
    uint64_t address;     /* page aligned */
    uint64_t memory_size; /* bytes, not 0; what lies behind file_size is zero */
    uint64_t file_offset; /* page aligned */
    uint64_t file_size;   /* bytes, at most memory_size */
    uint32_t flags;       /* ELF_*: readable, never both writable and executable */
};

struct elf {
    uint64_t entry; /* inside an executable segment */
    uint32_t segment_count;
    struct elf_segment segment[ELF_SEGMENTS]; /* by rising address, no page in two of them */
};

/* Fills elf from an image of size bytes, which need not be aligned. NULL, or why it is refused. */
const char *elf_parse(struct elf *elf, const void *image, size_t size);

#endif
