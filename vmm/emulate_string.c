/* SPDX-License-Identifier: BSD-2-Clause */
/* MOVS CMPS STOS LODS SCAS INS OUTS, with their repeat prefixes. */
#include "vmm/emulate.h"

#include "vmm/alu.h"
#include "vmm/x86.h"

/* A long repetition gives the guest a chance to take interrupts now and then. */
#define STRING_STRIDE 256u

static void advance(struct emul *emul, uint32_t reg)
{
    const struct insn *insn = emul->insn;
    uint64_t step = emul->page->rflags & RFLAGS_DF ? (uint64_t) - (int64_t)insn->size : insn->size;
    emul_set_gpr(emul, reg, insn->address_size, emul_gpr(emul, reg, insn->address_size) + step);
}

static bool string_ref(struct emul *emul, uint32_t segment, uint32_t reg, uint32_t access,
                       struct emul_ref *ref)
{
    const struct insn *insn = emul->insn;
    uint64_t linear;
    return emul_segment(emul, segment, emul_gpr(emul, reg, insn->address_size), insn->size, access,
                        &linear) &&
           emul_resolve(emul, linear, insn->size, access, ref);
}

static bool source(struct emul *emul, struct emul_ref *ref)
{
    return string_ref(emul, emul->insn->segment, GPR_RSI, 0, ref);
}

static bool one_move(struct emul *emul)
{
    struct emul_ref from, to;
    uint64_t value = 0;
    if (!source(emul, &from) || !string_ref(emul, SEG_ES, GPR_RDI, EMUL_WRITE, &to))
        return false;
    emul_load(emul, &from, &value);
    emul_store(emul, &to, &value);
    advance(emul, GPR_RSI);
    advance(emul, GPR_RDI);
    return true;
}

static bool one_compare(struct emul *emul)
{
    struct emul_ref from, to;
    uint64_t a = 0, b = 0;
    if (!source(emul, &from) || !string_ref(emul, SEG_ES, GPR_RDI, 0, &to))
        return false;
    emul_load(emul, &from, &a);
    emul_load(emul, &to, &b);
    alu_binary(OP_CMP, emul->insn->size, a, b, &emul->page->rflags);
    advance(emul, GPR_RSI);
    advance(emul, GPR_RDI);
    return true;
}

static bool one_store(struct emul *emul)
{
    struct emul_ref to;
    uint64_t value = emul_gpr(emul, GPR_RAX, emul->insn->size);
    if (!string_ref(emul, SEG_ES, GPR_RDI, EMUL_WRITE, &to))
        return false;
    emul_store(emul, &to, &value);
    advance(emul, GPR_RDI);
    return true;
}

static bool one_load(struct emul *emul)
{
    struct emul_ref from;
    uint64_t value = 0;
    if (!source(emul, &from))
        return false;
    emul_load(emul, &from, &value);
    emul_set_gpr(emul, GPR_RAX, emul->insn->size, value);
    advance(emul, GPR_RSI);
    return true;
}

static bool one_scan(struct emul *emul)
{
    struct emul_ref to;
    uint64_t value = 0;
    if (!string_ref(emul, SEG_ES, GPR_RDI, 0, &to))
        return false;
    emul_load(emul, &to, &value);
    alu_binary(OP_CMP, emul->insn->size, emul_gpr(emul, GPR_RAX, emul->insn->size), value,
               &emul->page->rflags);
    advance(emul, GPR_RDI);
    return true;
}

static bool one_in(struct emul *emul)
{
    struct emul_ref to;
    uint16_t port = (uint16_t)emul->page->gpr[GPR_RDX];
    if (!string_ref(emul, SEG_ES, GPR_RDI, EMUL_WRITE, &to))
        return false;
    uint64_t value = emul->bus->port_read(emul->opaque, port, emul->insn->size);
    emul_store(emul, &to, &value);
    advance(emul, GPR_RDI);
    return true;
}

static bool one_out(struct emul *emul)
{
    struct emul_ref from;
    uint64_t value = 0;
    uint16_t port = (uint16_t)emul->page->gpr[GPR_RDX];
    if (!source(emul, &from))
        return false;
    emul_load(emul, &from, &value);
    emul->bus->port_write(emul->opaque, port, emul->insn->size, (uint32_t)value);
    advance(emul, GPR_RSI);
    return true;
}

/* CMPS and SCAS end early; REP without a condition means REPE there. */
static bool condition_ends(const struct emul *emul)
{
    const struct insn *insn = emul->insn;
    if (insn->op != OP_CMPS && insn->op != OP_SCAS)
        return false;
    bool equal = emul->page->rflags & RFLAGS_ZF;
    return insn->flags & INSN_REPNE ? equal : !equal;
}

static bool repeat(struct emul *emul, bool (*one)(struct emul *))
{
    const struct insn *insn = emul->insn;
    uint32_t width = insn->address_size;
    if (!(insn->flags & (INSN_REP | INSN_REPNE)))
        return one(emul);
    for (uint32_t i = 0; i < STRING_STRIDE; i++) {
        uint64_t left = emul_gpr(emul, GPR_RCX, width);
        if (left == 0)
            return true;
        if (!one(emul)) {
            /* What is done is done; the fault names the element that failed. */
            emul->page->dirty |= VCPU_GROUP_CORE;
            return false;
        }
        emul_set_gpr(emul, GPR_RCX, width, left - 1);
        emul->hint = false; /* it named the first element */
        if (condition_ends(emul))
            return true;
    }
    if (emul_gpr(emul, GPR_RCX, width) != 0)
        emul->result = EMUL_AGAIN;
    return true;
}

bool emul_string(struct emul *emul)
{
    switch (emul->insn->op) {
    case OP_MOVS:
        return repeat(emul, one_move);
    case OP_CMPS:
        return repeat(emul, one_compare);
    case OP_STOS:
        return repeat(emul, one_store);
    case OP_LODS:
        return repeat(emul, one_load);
    default:
        return repeat(emul, one_scan);
    }
}

/* Ports were allowed by the CPU (IOPL, TSS bitmap) before the exit. */
bool emul_string_io(struct emul *emul)
{
    return repeat(emul, emul->insn->op == OP_INS ? one_in : one_out);
}
