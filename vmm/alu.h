/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic with the flags as the CPU leaves them. Values are held in 64 bits; size is 1, 2, 4
 * or 8. */
#ifndef VMM_ALU_H
#define VMM_ALU_H

#include <stdbool.h>
#include <stdint.h>
#include "vmm/decode.h"

static inline uint64_t alu_mask(uint32_t size)
{
    return size >= 8 ? ~0ull : (1ull << (8 * size)) - 1;
}

static inline uint64_t alu_sign_extend(uint64_t value, uint32_t size)
{
    uint32_t shift = 64 - 8 * size;
    return size >= 8 ? value : (uint64_t)((int64_t)(value << shift) >> shift);
}

/* ADD OR ADC SBB AND SUB XOR; CMP and TEST give what SUB and AND give. */
uint64_t alu_binary(enum insn_op op, uint32_t size, uint64_t a, uint64_t b, uint64_t *flags);
/* INC DEC NOT NEG */
uint64_t alu_unary(enum insn_op op, uint32_t size, uint64_t a, uint64_t *flags);
/* ROL ROR RCL RCR SHL SHR SAR; count as given, masked inside. */
uint64_t alu_shift(enum insn_op op, uint32_t size, uint64_t a, uint32_t count, uint64_t *flags);
/* SHLD SHRD */
uint64_t alu_double_shift(enum insn_op op, uint32_t size, uint64_t a, uint64_t b, uint32_t count,
                          uint64_t *flags);
/* MUL, one-operand IMUL: low half; *high the other. Sets CF and OF. */
uint64_t alu_multiply(bool is_signed, uint32_t size, uint64_t a, uint64_t b, uint64_t *high,
                      uint64_t *flags);
/* DIV, IDIV of high:low: false if the quotient does not fit (#DE). */
bool alu_divide(bool is_signed, uint32_t size, uint64_t high, uint64_t low, uint64_t divisor,
                uint64_t *quotient, uint64_t *remainder);
/* Jcc, SETcc, CMOVcc: low four opcode bits. */
bool alu_condition(uint32_t condition, uint64_t flags);

#endif
