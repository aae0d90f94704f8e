/* SPDX-License-Identifier: BSD-2-Clause */
/* Bit tests, bit scans, shifts and rotates, multiplication and division. */
#include "vmm/emulate.h"

#include "vmm/alu.h"
#include "vmm/x86.h"

/* BT and its kind with a register bit number reach beyond the operand: the bit string starts at the
 * memory operand. */
static bool bit_operand(struct emul *emul, struct insn_operand *operand, uint64_t *bit)
{
    const struct insn *insn = emul->insn;
    *operand = insn->operand[0];
    if (!emul_read(emul, &insn->operand[1], bit))
        return false;
    uint32_t bits = 8u * operand->size;
    if (operand->kind == OPERAND_MEM && insn->operand[1].kind == OPERAND_GPR) {
        int64_t index = (int64_t)alu_sign_extend(*bit, operand->size);
        operand->value += (index >> (operand->size == 8   ? 6
                                     : operand->size == 4 ? 5
                                                          : 4)) *
                          (int64_t)operand->size;
    }
    *bit %= bits;
    return true;
}

static bool op_bit_test(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    struct insn_operand operand;
    struct emul_ref ref;
    uint64_t bit, value = 0, *flags = &emul->page->rflags;
    if (!bit_operand(emul, &operand, &bit))
        return false;
    uint32_t access = insn->op == OP_BT ? 0 : EMUL_WRITE;
    if (operand.kind == OPERAND_MEM) {
        if (!emul_operand_ref(emul, &operand, operand.size, access, &ref))
            return false;
        emul_load(emul, &ref, &value);
    } else if (!emul_read(emul, &operand, &value)) {
        return false;
    }
    *flags = (*flags & ~RFLAGS_CF) | (value >> bit & 1);
    if (insn->op == OP_BT)
        return true;
    if (insn->op == OP_BTS)
        value |= 1ull << bit;
    else if (insn->op == OP_BTR)
        value &= ~(1ull << bit);
    else
        value ^= 1ull << bit;
    if (operand.kind != OPERAND_MEM)
        return emul_write(emul, &operand, value);
    emul_store(emul, &ref, &value);
    return true;
}

static bool op_bit_scan(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    uint64_t value, *flags = &emul->page->rflags;
    if (!emul_read(emul, &insn->operand[1], &value))
        return false;
    if (value == 0) { /* the destination keeps its value, as on AMD and in practice on Intel */
        *flags |= RFLAGS_ZF;
        return true;
    }
    *flags &= ~RFLAGS_ZF;
    int bit = insn->op == OP_BSF ? __builtin_ctzll(value) : 63 - __builtin_clzll(value);
    return emul_write(emul, &insn->operand[0], (uint64_t)bit);
}

static bool op_shift(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    const struct insn_operand *operand = &insn->operand[0];
    bool twice = insn->op == OP_SHLD || insn->op == OP_SHRD;
    struct emul_ref ref;
    uint64_t value = 0, other = 0, count = 1, *flags = &emul->page->rflags;
    const struct insn_operand *by = &insn->operand[twice ? 2 : 1];
    if (by->kind != OPERAND_NONE && !emul_read(emul, by, &count))
        return false;
    if (twice && !emul_read(emul, &insn->operand[1], &other))
        return false;
    if (operand->kind == OPERAND_MEM) {
        if (!emul_operand_ref(emul, operand, operand->size, EMUL_WRITE, &ref))
            return false;
        emul_load(emul, &ref, &value);
    } else if (!emul_read(emul, operand, &value)) {
        return false;
    }
    uint32_t small = (uint32_t)(count & 0xff);
    value = twice ? alu_double_shift(insn->op, operand->size, value, other, small, flags)
                  : alu_shift(insn->op, operand->size, value, small, flags);
    if (operand->kind != OPERAND_MEM)
        return emul_write(emul, operand, value);
    emul_store(emul, &ref, &value);
    return true;
}

/* IMUL with two or three operands. */
static bool op_multiply_to(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    bool three = insn->operand[2].kind != OPERAND_NONE;
    uint64_t a, b, high;
    if (!emul_read(emul, &insn->operand[1], &a) ||
        !emul_read(emul, &insn->operand[three ? 2 : 0], &b))
        return false;
    a = alu_multiply(true, insn->operand[0].size, a, b, &high, &emul->page->rflags);
    return emul_write(emul, &insn->operand[0], a);
}

/* The accumulator pair: AX for bytes, xDX:xAX otherwise. */
static void set_pair(struct emul *emul, uint32_t size, uint64_t low, uint64_t high)
{
    if (size == 1) {
        emul_set_gpr(emul, GPR_RAX, 2, high << 8 | low);
        return;
    }
    emul_set_gpr(emul, GPR_RAX, size, low);
    emul_set_gpr(emul, GPR_RDX, size, high);
}

static bool op_multiply_divide(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    uint32_t size = insn->operand[0].size;
    bool is_signed = insn->op == OP_IMUL || insn->op == OP_IDIV;
    uint64_t value, low, high;
    if (insn->op == OP_IMUL && insn->operand[1].kind != OPERAND_NONE)
        return op_multiply_to(emul);
    if (!emul_read(emul, &insn->operand[0], &value))
        return false;
    if (insn->op == OP_MUL || insn->op == OP_IMUL) {
        low = alu_multiply(is_signed, size, emul_gpr(emul, GPR_RAX, size), value, &high,
                           &emul->page->rflags);
        set_pair(emul, size, low, high);
        return true;
    }
    high = size == 1 ? emul_gpr(emul, GPR_RAX, 2) >> 8 : emul_gpr(emul, GPR_RDX, size);
    if (!alu_divide(is_signed, size, high, emul_gpr(emul, GPR_RAX, size), value, &low, &high))
        return emul_fault_plain(emul, VECTOR_DE);
    set_pair(emul, size, low, high);
    return true;
}

bool emul_bits(struct emul *emul)
{
    switch (emul->insn->op) {
    case OP_BT:
    case OP_BTS:
    case OP_BTR:
    case OP_BTC:
        return op_bit_test(emul);
    case OP_BSF:
    case OP_BSR:
        return op_bit_scan(emul);
    case OP_MUL:
    case OP_IMUL:
    case OP_DIV:
    case OP_IDIV:
        return op_multiply_divide(emul);
    default:
        return op_shift(emul);
    }
}
