/* SPDX-License-Identifier: BSD-2-Clause */
/* PUSH, POP, and near CALL and JMP through memory. */
#include "vmm/emulate.h"

#include "vmm/alu.h"
#include "vmm/x86.h"

static uint32_t stack_width(const struct emul *emul)
{
    if (emul->mode == DECODE_64)
        return 8;
    return emul->page->seg[SEG_SS].attr & SEG_ATTR_DB ? 4 : 2;
}

static bool push(struct emul *emul, uint32_t size, uint64_t value)
{
    uint32_t width = stack_width(emul);
    uint64_t top = (emul->page->gpr[GPR_RSP] - size) & alu_mask(width), linear;
    if (!emul_segment(emul, SEG_SS, top, size, EMUL_WRITE, &linear) ||
        !emul_write_linear(emul, linear, &value, size, 0))
        return false;
    emul_set_gpr(emul, GPR_RSP, width, top);
    return true;
}

static bool pop(struct emul *emul)
{
    const struct insn_operand *to = &emul->insn->operand[0];
    uint32_t width = stack_width(emul), size = emul->insn->size;
    uint64_t old = emul->page->gpr[GPR_RSP], top = old & alu_mask(width), linear, value = 0;
    if (to->kind != OPERAND_GPR && to->kind != OPERAND_MEM)
        return emul_unknown(emul);
    if (!emul_segment(emul, SEG_SS, top, size, 0, &linear) ||
        !emul_read_linear(emul, linear, &value, size, 0))
        return false;
    /* An RSP in the operand's address is the one after the pop. */
    emul_set_gpr(emul, GPR_RSP, width, top + size);
    if (emul_write(emul, to, value))
        return true;
    emul->page->gpr[GPR_RSP] = old;
    return false;
}

static bool branch(struct emul *emul, uint64_t target)
{
    const struct vcpu_segment *code = &emul->page->seg[SEG_CS];
    uint64_t upper = target >> 47;
    if (emul->mode == DECODE_64 ? upper != 0 && upper != 0x1ffff : target > code->limit)
        return emul_fault(emul, VECTOR_GP, 0);
    emul->next_rip = target;
    return true;
}

bool emul_stack(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    const struct insn_operand *operand = &insn->operand[0];
    uint64_t value, here = emul->next_rip;
    if (insn->op == OP_POP)
        return pop(emul);
    if (operand->kind != OPERAND_GPR && operand->kind != OPERAND_MEM &&
        operand->kind != OPERAND_IMM)
        return emul_unknown(emul);
    if (!emul_read(emul, operand, &value))
        return false;
    if (insn->op == OP_PUSH)
        return push(emul, insn->size, value);
    /* Relative and far forms never touch a device with their operand. */
    if (operand->kind == OPERAND_IMM || operand->size != insn->size)
        return emul_unknown(emul);
    if (insn->op == OP_JMP)
        return branch(emul, value);
    if (!branch(emul, value))
        return false;
    return push(emul, insn->size, here);
}
