/* SPDX-License-Identifier: BSD-2-Clause */
/* Control, debug and descriptor-table registers: executed here when the kernel intercepts them. The
 * CPU has checked the privilege level before the intercept. */
#include "vmm/emulate.h"

#include "vmm/alu.h"
#include "vmm/x86.h"

static bool general_protection(struct emul *emul)
{
    return emul_fault(emul, VECTOR_GP, 0);
}

static bool write_cr0(struct emul *emul, uint64_t value)
{
    struct vcpu_page *page = emul->page;
    bool paging = value & CR0_PG, long_code = page->seg[SEG_CS].attr & SEG_ATTR_L;
    if (value >> 32 || (paging && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
        return general_protection(emul);
    if (paging && !(page->cr0 & CR0_PG) && (page->efer & EFER_LME)) {
        if (!(page->cr4 & CR4_PAE) || long_code)
            return general_protection(emul);
        page->efer |= EFER_LMA;
    }
    if (!paging && (page->cr0 & CR0_PG)) {
        if ((page->cr4 & CR4_PCIDE) || emul->mode == DECODE_64)
            return general_protection(emul);
        page->efer &= ~EFER_LMA;
    }
    page->cr0 = value | CR0_ET;
    return true;
}

static bool write_cr4(struct emul *emul, uint64_t value)
{
    struct vcpu_page *page = emul->page;
    uint64_t changed = value ^ page->cr4;
    if (value & ~CR4_GUEST_BITS)
        return general_protection(emul);
    if ((page->efer & EFER_LMA) && (changed & (CR4_PAE | CR4_LA57)))
        return general_protection(emul);
    if ((changed & value & CR4_PCIDE) && (!(page->efer & EFER_LMA) || (page->cr3 & 0xfff)))
        return general_protection(emul);
    page->cr4 = value;
    return true;
}

static bool write_control(struct emul *emul, uint32_t number, uint64_t value)
{
    struct vcpu_page *page = emul->page;
    page->dirty |= VCPU_GROUP_CTRL;
    switch (number) {
    case 0:
        return write_cr0(emul, value);
    case 2:
        page->cr2 = value;
        return true;
    case 3:
        if (page->cr4 & CR4_PCIDE)
            value &= ~(1ull << 63);
        if ((page->efer & EFER_LMA) && value >> emul->phys_bits)
            return general_protection(emul);
        page->cr3 = value;
        return true;
    case 4:
        return write_cr4(emul, value);
    case 8:
        if (value >> 4)
            return general_protection(emul);
        emul->bus->tpr_write(emul->opaque, value);
        return true;
    default:
        return emul_fault_plain(emul, VECTOR_UD);
    }
}

static bool read_control(struct emul *emul, uint32_t number, uint64_t *value)
{
    const struct vcpu_page *page = emul->page;
    switch (number) {
    case 0:
        *value = page->cr0;
        return true;
    case 2:
        *value = page->cr2;
        return true;
    case 3:
        *value = page->cr3;
        return true;
    case 4:
        *value = page->cr4;
        return true;
    case 8:
        *value = emul->bus->tpr_read(emul->opaque);
        return true;
    default:
        return emul_fault_plain(emul, VECTOR_UD);
    }
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE is set. */
static uint64_t *debug_register(struct emul *emul, uint32_t number)
{
    struct vcpu_page *page = emul->page;
    if (number > 7 || ((number == 4 || number == 5) && (page->cr4 & CR4_DE)))
        return NULL;
    if (number < 4)
        return &page->dr[number];
    return number & 1 ? &page->dr7 : &page->dr6;
}

static bool move_debug(struct emul *emul, uint32_t number, uint64_t *value, bool write)
{
    emul->bus->need(emul->opaque, VCPU_GROUP_DEBUG);
    struct vcpu_page *page = emul->page;
    uint64_t *cell = debug_register(emul, number);
    if (!cell)
        return emul_fault_plain(emul, VECTOR_UD);
    if (page->dr7 & DR7_GD) {
        page->dr7 &= ~DR7_GD;
        page->dr6 |= 1ull << 13;
        page->dirty |= VCPU_GROUP_DEBUG;
        return emul_fault_plain(emul, VECTOR_DB);
    }
    if (!write) {
        *value = *cell;
        return true;
    }
    if (cell == &page->dr6 || cell == &page->dr7) {
        if (*value >> 32)
            return general_protection(emul);
        *value =
            cell == &page->dr6 ? (*value & 0xe00f) | 0xffff0ff0 : (*value & 0xffff2fff) | 0x400;
    }
    *cell = *value;
    page->dirty |= VCPU_GROUP_DEBUG;
    return true;
}

bool emul_move_special(struct emul *emul)
{
    const struct insn_operand *to = &emul->insn->operand[0], *from = &emul->insn->operand[1];
    uint32_t width = emul->mode == DECODE_64 ? 8 : 4;
    uint64_t value = 0;
    if (from->kind == OPERAND_SEG) {
        struct insn_operand narrow = *to;
        if (to->kind == OPERAND_MEM)
            narrow.size = 2;
        return emul_write(emul, &narrow, emul->page->seg[from->reg % SEG_COUNT].selector);
    }
    if (to->kind == OPERAND_CR)
        return write_control(emul, to->reg, emul_gpr(emul, from->reg, width));
    if (to->kind == OPERAND_DR) {
        value = emul_gpr(emul, from->reg, width);
        return move_debug(emul, to->reg, &value, true);
    }
    if (from->kind == OPERAND_CR
            ? !read_control(emul, from->reg, &value)
            : from->kind != OPERAND_DR || !move_debug(emul, from->reg, &value, false))
        return from->kind == OPERAND_CR || from->kind == OPERAND_DR ? false : emul_unknown(emul);
    emul_set_gpr(emul, to->reg, width, value);
    return true;
}

/* LGDT, LIDT, SGDT, SIDT: limit and base; 16-bit operands carry 24 base bits. */
static bool table_register(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    bool gdt = insn->op == OP_LGDT || insn->op == OP_SGDT;
    struct vcpu_table *table = gdt ? &emul->page->gdtr : &emul->page->idtr;
    uint32_t width = emul->mode == DECODE_64 ? 8 : 4;
    const struct insn_operand *operand = &insn->operand[0];
    struct emul_ref limit, base;
    struct insn_operand second = *operand;
    second.value += 2;
    bool load = insn->op == OP_LGDT || insn->op == OP_LIDT;
    uint32_t access = load ? 0 : EMUL_WRITE;
    if (!emul_operand_ref(emul, operand, 2, access, &limit) ||
        !emul_operand_ref(emul, &second, width, access, &base))
        return false;
    if (!load) {
        uint16_t bytes = (uint16_t)table->limit;
        emul_store(emul, &limit, &bytes);
        emul_store(emul, &base, &table->base);
        return true;
    }
    uint16_t bytes = 0;
    uint64_t address = 0;
    emul_load(emul, &limit, &bytes);
    emul_load(emul, &base, &address);
    uint64_t upper = address >> 47;
    if (width == 8 && upper != 0 && upper != 0x1ffff)
        return general_protection(emul);
    if (width == 4 && insn->size == 2)
        address &= 0xffffff;
    table->base = address;
    table->limit = bytes;
    emul->page->dirty |= VCPU_GROUP_SEGS;
    return true;
}

static bool machine_status(struct emul *emul)
{
    const struct insn_operand *operand = &emul->insn->operand[0];
    struct vcpu_page *page = emul->page;
    uint64_t value;
    if (emul->insn->op == OP_SMSW)
        return emul_write(emul, operand, page->cr0);
    if (!emul_read(emul, operand, &value))
        return false;
    /* LMSW sets PE but cannot clear it. */
    return write_control(emul, 0, (page->cr0 & ~0xeull) | (value & 0xf));
}

bool emul_system(struct emul *emul)
{
    struct vcpu_page *page = emul->page;
    const struct insn_operand *operand = &emul->insn->operand[0];
    switch (emul->insn->op) {
    case OP_CLTS:
        page->cr0 &= ~CR0_TS;
        page->dirty |= VCPU_GROUP_CTRL;
        return true;
    case OP_LMSW:
    case OP_SMSW:
        return machine_status(emul);
    case OP_SLDT:
        return emul_write(emul, operand, page->seg[SEG_LDTR].selector);
    case OP_STR:
        return emul_write(emul, operand, page->seg[SEG_TR].selector);
    case OP_LLDT:
    case OP_LTR:
        return emul_unknown(emul);
    default:
        return table_register(emul);
    }
}
