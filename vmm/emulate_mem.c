/* SPDX-License-Identifier: BSD-2-Clause */
/* How the emulator reaches memory: segment, page tables, then RAM or a device. */
#include "vmm/emulate.h"

#include <string.h>

#include "vmm/alu.h"
#include "vmm/x86.h"

static bool canonical(const struct emul *emul, uint64_t linear)
{
    uint32_t shift = emul->paging.cr4 & CR4_LA57 ? 7 : 16;
    return (uint64_t)((int64_t)(linear << shift) >> shift) == linear;
}

static bool segment_fault(struct emul *emul, uint32_t segment)
{
    return emul_fault(emul, segment == SEG_SS ? VECTOR_SS : VECTOR_GP, 0);
}

static bool segment_covers(const struct vcpu_segment *seg, uint64_t offset, uint32_t size)
{
    uint64_t last = offset + size - 1;
    bool code = seg->attr & 8;
    if (!code && (seg->attr & 4)) { /* expand-down: valid above the limit */
        uint64_t top = seg->attr & SEG_ATTR_DB ? 0xffffffffull : 0xffffull;
        return offset > seg->limit && last <= top;
    }
    return last <= seg->limit;
}

bool emul_segment(struct emul *emul, uint32_t segment, uint64_t offset, uint32_t size,
                  uint32_t access, uint64_t *linear)
{
    const struct vcpu_segment *seg = &emul->page->seg[segment];
    if (emul->mode == DECODE_64) {
        *linear = offset + (segment == SEG_FS || segment == SEG_GS ? seg->base : 0);
        return canonical(emul, *linear) && canonical(emul, *linear + size - 1)
                   ? true
                   : segment_fault(emul, segment);
    }
    bool protected = (emul->paging.cr0 & CR0_PE) && !(emul->paging.rflags & RFLAGS_VM);
    if (protected) {
        bool code = seg->attr & 8, wanted = seg->attr & 2; /* readable, or writable for data */
        if ((seg->attr & SEG_ATTR_UNUSABLE) || !(seg->attr & SEG_ATTR_P))
            return segment_fault(emul, segment);
        if ((access & EMUL_WRITE) ? code || !wanted : code && !wanted)
            return segment_fault(emul, segment);
    }
    if (!segment_covers(seg, offset, size))
        return segment_fault(emul, segment);
    *linear = (seg->base + offset) & 0xffffffffull;
    return true;
}

static bool page_fault(struct emul *emul, uint64_t linear, uint32_t error)
{
    emul->page->cr2 = linear;
    emul->page->dirty |= VCPU_GROUP_CTRL;
    return emul_fault(emul, VECTOR_PF, error);
}

static bool resolve_one(struct emul *emul, uint64_t linear, uint32_t access, uint64_t *gpa)
{
    if (emul->hint && ((linear ^ emul->hint_gpa) & 0xfff) == 0) {
        *gpa = emul->hint_gpa;
        return true;
    }
    if (emul->user && !(access & EMUL_SYSTEM))
        access |= WALK_USER;
    uint32_t error = 0;
    if (paging_walk(emul->mem, &emul->paging, linear, access, gpa, &error))
        return true;
    return page_fault(emul, linear, error);
}

bool emul_resolve(struct emul *emul, uint64_t linear, uint32_t size, uint32_t access,
                  struct emul_ref *ref)
{
    uint32_t room = 0x1000u - (uint32_t)(linear & 0xfff);
    ref->size = size;
    ref->first = size < room ? size : room;
    if (size > room)
        emul->hint = false; /* names one of the two pages only */
    if (!resolve_one(emul, linear, access, &ref->gpa[0]))
        return false;
    if (ref->first == size)
        return true;
    uint64_t next = linear + room;
    if (emul->mode != DECODE_64)
        next &= 0xffffffffull;
    return resolve_one(emul, next, access, &ref->gpa[1]);
}

static uint32_t device_chunk(uint32_t left)
{
    return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

static void load_part(struct emul *emul, uint64_t gpa, uint8_t *data, uint32_t size)
{
    const void *ram = guest_mem_ptr(emul->mem, gpa, size);
    if (ram) {
        memcpy(data, ram, size);
        return;
    }
    if (size == 4) { /* what drivers do most */
        uint32_t word = (uint32_t)emul->bus->mmio_read(emul->opaque, gpa, 4);
        __builtin_memcpy(data, &word, 4);
        return;
    }
    for (uint32_t done = 0, chunk; done < size; done += chunk) {
        chunk = device_chunk(size - done);
        uint64_t value = emul->bus->mmio_read(emul->opaque, gpa + done, chunk);
        memcpy(data + done, &value, chunk);
    }
}

static void store_part(struct emul *emul, uint64_t gpa, const uint8_t *data, uint32_t size)
{
    const struct guest_region *region = guest_mem_find(emul->mem, gpa, size);
    if (region) {
        if (region->writable) /* firmware ignores writes, as a ROM does */
            memcpy(region->host + (gpa - region->gpa), data, size);
        return;
    }
    if (size == 4) {
        uint32_t word;
        memcpy(&word, data, 4);
        emul->bus->mmio_write(emul->opaque, gpa, 4, word);
        return;
    }
    for (uint32_t done = 0, chunk; done < size; done += chunk) {
        uint64_t value = 0;
        chunk = device_chunk(size - done);
        memcpy(&value, data + done, chunk);
        emul->bus->mmio_write(emul->opaque, gpa + done, chunk, value);
    }
}

void emul_load(struct emul *emul, const struct emul_ref *ref, void *data)
{
    load_part(emul, ref->gpa[0], data, ref->first);
    if (ref->first < ref->size)
        load_part(emul, ref->gpa[1], (uint8_t *)data + ref->first, ref->size - ref->first);
}

void emul_store(struct emul *emul, const struct emul_ref *ref, const void *data)
{
    store_part(emul, ref->gpa[0], data, ref->first);
    if (ref->first < ref->size)
        store_part(emul, ref->gpa[1], (const uint8_t *)data + ref->first, ref->size - ref->first);
}

bool emul_read_linear(struct emul *emul, uint64_t linear, void *data, uint32_t size,
                      uint32_t access)
{
    struct emul_ref ref;
    if (!emul_resolve(emul, linear, size, access, &ref))
        return false;
    emul_load(emul, &ref, data);
    return true;
}

bool emul_write_linear(struct emul *emul, uint64_t linear, const void *data, uint32_t size,
                       uint32_t access)
{
    struct emul_ref ref;
    if (!emul_resolve(emul, linear, size, access | EMUL_WRITE, &ref))
        return false;
    emul_store(emul, &ref, data);
    return true;
}

uint64_t emul_offset(const struct emul *emul, const struct insn_operand *operand)
{
    const uint64_t *gpr = emul->page->gpr;
    uint64_t offset = (uint64_t)operand->value;
    if (operand->base == REG_RIP)
        offset += emul->next_rip;
    else if (operand->base != REG_NONE)
        offset += gpr[operand->base & 15];
    if (operand->index != REG_NONE)
        offset += gpr[operand->index & 15] * operand->scale;
    return offset & alu_mask(emul->insn->address_size);
}

bool emul_operand_ref(struct emul *emul, const struct insn_operand *operand, uint32_t size,
                      uint32_t access, struct emul_ref *ref)
{
    uint64_t linear = 0;
    return emul_segment(emul, operand->segment, emul_offset(emul, operand), size, access,
                        &linear) &&
           emul_resolve(emul, linear, size, access, ref);
}

uint64_t emul_gpr(const struct emul *emul, uint32_t reg, uint32_t size)
{
    return emul->page->gpr[reg & 15] & alu_mask(size);
}

void emul_set_gpr(struct emul *emul, uint32_t reg, uint32_t size, uint64_t value)
{
    uint64_t *gpr = &emul->page->gpr[reg & 15];
    uint64_t mask = size == 4 ? ~0ull : alu_mask(size); /* 32-bit writes clear the upper half */
    *gpr = (*gpr & ~mask) | (value & alu_mask(size));
}

bool emul_read(struct emul *emul, const struct insn_operand *operand, uint64_t *value)
{
    struct emul_ref ref;
    *value = 0;
    switch (operand->kind) {
    case OPERAND_GPR:
        *value = operand->high ? emul->page->gpr[operand->reg & 3] >> 8 & 0xff
                               : emul_gpr(emul, operand->reg, operand->size);
        return true;
    case OPERAND_IMM:
        *value = (uint64_t)operand->value;
        return true;
    case OPERAND_MEM:
        if (operand->size > 8)
            return emul_unknown(emul);
        if (!emul_operand_ref(emul, operand, operand->size, 0, &ref))
            return false;
        emul_load(emul, &ref, value);
        return true;
    default:
        return emul_unknown(emul);
    }
}

bool emul_write(struct emul *emul, const struct insn_operand *operand, uint64_t value)
{
    struct emul_ref ref;
    if (operand->kind == OPERAND_GPR && operand->high) {
        uint64_t *gpr = &emul->page->gpr[operand->reg & 3];
        *gpr = (*gpr & ~0xff00ull) | (value & 0xff) << 8;
        return true;
    }
    if (operand->kind == OPERAND_GPR) {
        emul_set_gpr(emul, operand->reg, operand->size, value);
        return true;
    }
    if (operand->kind != OPERAND_MEM || operand->size > 8)
        return emul_unknown(emul);
    if (!emul_operand_ref(emul, operand, operand->size, EMUL_WRITE, &ref))
        return false;
    emul_store(emul, &ref, &value);
    return true;
}

/* A plain MOV between a register or constant and the very place that exited, which is nearly every
 * device access: the CPU has checked segment and page tables on its way to the exit. False: nothing
 * was done, the long way must be taken. */
bool emul_hinted_move(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    bool store = insn->operand[0].kind == OPERAND_MEM;
    const struct insn_operand *memory = &insn->operand[store ? 0 : 1];
    const struct insn_operand *other = &insn->operand[store ? 1 : 0];
    uint64_t gpa = emul->hint_gpa, linear = emul_offset(emul, memory);
    uint32_t size = memory->size;
    if (memory->kind != OPERAND_MEM || other->kind >= OPERAND_SEG || other->high || size > 8)
        return false;
    if (emul->mode != DECODE_64 || memory->segment >= SEG_FS) {
        if (!(emul->page->valid & VCPU_GROUP_SEGS))
            emul->bus->need(emul->opaque, VCPU_GROUP_SEGS);
        linear += emul->page->seg[memory->segment].base;
    }
    if (((linear ^ gpa) & 0xfff) || (gpa & 0xfff) + size > 0x1000 ||
        guest_mem_find(emul->mem, gpa, 1))
        return false;
    if (!store) {
        uint64_t value = emul->bus->mmio_read(emul->opaque, gpa, size);
        emul_set_gpr(emul, other->reg, size, value);
        return true;
    }
    uint64_t value =
        other->kind == OPERAND_IMM ? (uint64_t)other->value : emul->page->gpr[other->reg & 15];
    emul->bus->mmio_write(emul->opaque, gpa, size, value & alu_mask(size));
    return true;
}
