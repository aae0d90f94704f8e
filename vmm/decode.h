/* SPDX-License-Identifier: BSD-2-Clause */
/* One instruction in the form that the emulator executes. Zydis is behind this and nowhere else. */
#ifndef VMM_DECODE_H
#define VMM_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX_BYTES 15u

enum insn_op {
    OP_UNKNOWN,
    OP_MOV,
    OP_MOVZX,
    OP_MOVSX,
    OP_MOVBE,
    OP_LEA,
    OP_ADD,
    OP_OR,
    OP_ADC,
    OP_SBB,
    OP_AND,
    OP_SUB,
    OP_XOR,
    OP_CMP,
    OP_TEST,
    OP_INC,
    OP_DEC,
    OP_NOT,
    OP_NEG,
    OP_XCHG,
    OP_CMPXCHG,
    OP_CMPXCHG8B,
    OP_XADD,
    OP_BT,
    OP_BTS,
    OP_BTR,
    OP_BTC,
    OP_BSF,
    OP_BSR,
    OP_ROL,
    OP_ROR,
    OP_RCL,
    OP_RCR,
    OP_SHL,
    OP_SHR,
    OP_SAR,
    OP_SHLD,
    OP_SHRD,
    OP_MUL,
    OP_IMUL,
    OP_DIV,
    OP_IDIV,
    OP_SETCC,
    OP_CMOVCC,
    OP_PUSH,
    OP_POP,
    OP_CALL,
    OP_JMP,
    OP_MOVS,
    OP_CMPS,
    OP_STOS,
    OP_LODS,
    OP_SCAS,
    OP_INS,
    OP_OUTS,
    OP_VMOV, /* a plain move between a vector register and memory, size in the operand */
    OP_CLTS,
    OP_LMSW,
    OP_SMSW,
    OP_LGDT,
    OP_LIDT,
    OP_SGDT,
    OP_SIDT,
    OP_LLDT,
    OP_LTR,
    OP_SLDT,
    OP_STR,
    OP_INVALIDATE, /* INVD, WBINVD, INVLPG, CLFLUSH, prefetches: nothing to do */
    OP_COUNT
};

enum operand_kind {
    OPERAND_NONE,
    OPERAND_GPR,
    OPERAND_MEM,
    OPERAND_IMM,
    OPERAND_SEG,
    OPERAND_CR,
    OPERAND_DR,
    OPERAND_VEC
};

#define REG_NONE 0xffu
#define REG_RIP  0xfeu

struct insn_operand {
    uint8_t kind; /* enum operand_kind */
    uint8_t size; /* bytes */
    uint8_t reg;  /* number in its file (enum vcpu_gpr, enum vcpu_seg, ...) */
    uint8_t high; /* AH, CH, DH, BH */
    uint8_t segment, base, index, scale; /* memory */
    int64_t value;                       /* immediate or displacement */
};

#define INSN_REP   0x1u
#define INSN_REPNE 0x2u
#define INSN_LOCK  0x4u
#define INSN_VEX   0x8u /* upper half of a vector destination is cleared */

struct insn {
    uint8_t op; /* enum insn_op */
    uint8_t length;
    uint8_t size;         /* operand size, bytes */
    uint8_t address_size; /* 2, 4, 8 */
    uint8_t flags;        /* INSN_* */
    uint8_t condition;    /* SETcc, CMOVcc: low four bits of the opcode */
    uint8_t memory_operands;
    uint8_t segment; /* string instructions: segment of the source */
    struct insn_operand operand[3];
};

enum decode_mode { DECODE_16, DECODE_32, DECODE_64 };

/* False if the bytes are no valid instruction, or too few. An instruction that is valid but that
 * the emulator does not execute gives true and OP_UNKNOWN with the length filled in. */
bool decode_insn(enum decode_mode mode, const uint8_t *bytes, size_t count, struct insn *insn);
/* True if the bytes are the valid start of an instruction that needs more of them. */
bool decode_needs_more(enum decode_mode mode, const uint8_t *bytes, size_t count);

#endif
