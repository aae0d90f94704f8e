/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes one guest instruction in software: the one whose memory or port access left the guest.
 */
#ifndef VMM_EMULATE_H
#define VMM_EMULATE_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/vcpu.h"
#include "vmm/decode.h"
#include "vmm/guest_mem.h"
#include "vmm/paging_walk.h"

/* What lies behind guest-physical addresses that are not memory, behind ports, and behind state
 * that is not in the page. Sizes are 1, 2, 4 or 8 bytes (ports: up to 4). */
struct emul_bus {
    uint64_t (*mmio_read)(void *opaque, uint64_t gpa, uint32_t size);
    void (*mmio_write)(void *opaque, uint64_t gpa, uint32_t size, uint64_t value);
    uint32_t (*port_read)(void *opaque, uint16_t port, uint32_t size);
    void (*port_write)(void *opaque, uint16_t port, uint32_t size, uint32_t value);
    /* Makes the groups current in the page. */
    void (*need)(void *opaque, uint32_t groups);
    /* XSAVE image of the vCPU (standard format, 4096 bytes) to read, or to change if `write` is
     * set: then fpu_store() follows. */
    uint8_t *(*fpu_load)(void *opaque);
    void (*fpu_store)(void *opaque);
    /* CR8: the local APIC's task priority. */
    uint64_t (*tpr_read)(void *opaque);
    void (*tpr_write)(void *opaque, uint64_t cr8);
};

enum emul_result {
    EMUL_DONE,   /* the instruction is complete */
    EMUL_AGAIN,  /* a repeated string instruction went part of its way; RIP still points at it */
    EMUL_FAULT,  /* an exception is in the page's event, to be delivered next */
    EMUL_UNKNOWN /* cannot be executed here; nothing was changed */
};

#define EMUL_CACHE_SIZE 64u

struct emul_cached {
    uint64_t rip;
    uint64_t bytes[2], mask[2]; /* mask: 0xff for each byte of the instruction */
    uint64_t mode;              /* enum decode_mode + 1; 0: empty */
    const uint8_t *code;        /* where it is by this trail; NULL: no trail */
    bool user;                  /* CPL 3, there */
    struct walk_trail trail;
    struct insn insn;
};

struct emul {
    struct vcpu_page *page;
    const struct guest_mem *mem;
    const struct emul_bus *bus;
    void *opaque;
    uint32_t phys_bits;

    /* The instruction in progress. */
    const struct insn *insn;
    struct paging paging;
    uint64_t hint_gpa;
    bool hint; /* hint_gpa is where its only memory operand lies, already checked by the CPU */
    bool user; /* CPL 3 */
    enum decode_mode mode;
    enum emul_result result;
    uint64_t next_rip;

    uint64_t hits, misses; /* of the cache of decoded instructions */
    struct emul_cached cache[EMUL_CACHE_SIZE];
};

void emul_init(struct emul *emul, struct vcpu_page *page, const struct guest_mem *mem,
               const struct emul_bus *bus, void *opaque, uint32_t phys_bits);
/* The instruction at RIP, which exited with the page's exit.mmio. */
enum emul_result emulate_mmio(struct emul *emul);
/* The instruction at RIP, whatever it is: string port I/O, intercepted instructions. */
enum emul_result emulate_insn(struct emul *emul);
/* Length of the instruction at RIP; 0: it cannot be fetched or decoded. */
uint32_t emulate_length(struct emul *emul);
/* Past an instruction that the VMM has executed by other means; length 0: find it out. */
void emulate_skip(struct emul *emul, uint32_t length);
/* Copies up to INSN_MAX_BYTES bytes at RIP for messages; how many were readable. */
uint32_t emul_peek(struct emul *emul, uint8_t *bytes);

/* --- between the emulate_*.c files --- */

/* Makes the needed groups current and takes paging, privilege and mode from the page. */
void emul_begin(struct emul *emul);

/* Queue a fault for the guest; always false. */
bool emul_fault(struct emul *emul, uint8_t vector, uint32_t error);
bool emul_fault_plain(struct emul *emul, uint8_t vector); /* no error code */
bool emul_unknown(struct emul *emul);

struct emul_ref {
    uint64_t gpa[2]; /* second: behind a page boundary */
    uint32_t first;  /* bytes at gpa[0] */
    uint32_t size;
};

#define EMUL_WRITE  WALK_WRITE
#define EMUL_SYSTEM WALK_IMPLICIT /* descriptor tables: supervisor access whatever the CPL */

/* offset in segment -> linear, with the segment's checks. */
bool emul_segment(struct emul *emul, uint32_t segment, uint64_t offset, uint32_t size,
                  uint32_t access, uint64_t *linear);
/* linear -> where the bytes are; #PF if the guest's tables say so. */
bool emul_resolve(struct emul *emul, uint64_t linear, uint32_t size, uint32_t access,
                  struct emul_ref *ref);
void emul_load(struct emul *emul, const struct emul_ref *ref, void *data);
void emul_store(struct emul *emul, const struct emul_ref *ref, const void *data);
bool emul_read_linear(struct emul *emul, uint64_t linear, void *data, uint32_t size,
                      uint32_t access);
bool emul_write_linear(struct emul *emul, uint64_t linear, const void *data, uint32_t size,
                       uint32_t access);
/* Offset of a memory operand. */
uint64_t emul_offset(const struct emul *emul, const struct insn_operand *operand);
bool emul_operand_ref(struct emul *emul, const struct insn_operand *operand, uint32_t size,
                      uint32_t access, struct emul_ref *ref);

bool emul_hinted_move(struct emul *emul);

uint64_t emul_gpr(const struct emul *emul, uint32_t reg, uint32_t size);
void emul_set_gpr(struct emul *emul, uint32_t reg, uint32_t size, uint64_t value);
bool emul_read(struct emul *emul, const struct insn_operand *operand, uint64_t *value);
bool emul_write(struct emul *emul, const struct insn_operand *operand, uint64_t value);

/* Handlers in emulate_*.c: true: done, emul->result tells; false: fault or unknown. */
bool emul_string(struct emul *emul);
bool emul_string_io(struct emul *emul);
bool emul_system(struct emul *emul);
bool emul_move_special(struct emul *emul); /* MOV with a segment, control or debug register */
bool emul_vector(struct emul *emul);
bool emul_bits(struct emul *emul);
bool emul_stack(struct emul *emul);

#endif
