/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetch, decode (once an instruction site), execute, finish. */
#include "vmm/emulate.h"

#include <string.h>

#include "vmm/alu.h"
#include "vmm/x86.h"

#define NEEDED_GROUPS (VCPU_GROUP_CORE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL)
/* Of a device access by MOV: CS and SS have come with the exit. */
#define MOVE_GROUPS (VCPU_GROUP_CORE | VCPU_GROUP_CODE | VCPU_GROUP_CTRL)

void emul_init(struct emul *emul, struct vcpu_page *page, const struct guest_mem *mem,
               const struct emul_bus *bus, void *opaque, uint32_t phys_bits)
{
    memset(emul, 0, sizeof(*emul));
    emul->page = page;
    emul->mem = mem;
    emul->bus = bus;
    emul->opaque = opaque;
    emul->phys_bits = phys_bits;
}

static bool queue_fault(struct emul *emul, uint8_t vector, uint8_t has_error, uint32_t error)
{
    emul->page->event = (struct vcpu_event){
        .type = EVENT_EXC, .vector = vector, .has_error = has_error, .error = error};
    emul->page->dirty |= VCPU_GROUP_EVENTS;
    emul->result = EMUL_FAULT;
    return false;
}

bool emul_fault(struct emul *emul, uint8_t vector, uint32_t error)
{
    bool real_mode = !(emul->paging.cr0 & CR0_PE);
    return queue_fault(emul, vector, !real_mode, real_mode ? 0 : error);
}

bool emul_fault_plain(struct emul *emul, uint8_t vector)
{
    return queue_fault(emul, vector, 0, 0);
}

bool emul_unknown(struct emul *emul)
{
    emul->result = EMUL_UNKNOWN;
    return false;
}

static void need_groups(struct emul *emul, uint32_t groups)
{
    if ((emul->page->valid & groups) != groups)
        emul->bus->need(emul->opaque, groups);
}

static void take_state(struct emul *emul)
{
    struct vcpu_page *page = emul->page;
    emul->paging = (struct paging){.cr0 = page->cr0,
                                   .cr3 = page->cr3,
                                   .cr4 = page->cr4,
                                   .efer = page->efer,
                                   .rflags = page->rflags,
                                   .phys_bits = emul->phys_bits};
    bool protected = page->cr0 & CR0_PE, virtual8086 = page->rflags & RFLAGS_VM;
    uint16_t code = page->seg[SEG_CS].attr;
    emul->user = protected && (virtual8086 || SEG_ATTR_DPL(page->seg[SEG_SS].attr) == 3);
    if ((page->efer & EFER_LMA) && (code & SEG_ATTR_L))
        emul->mode = DECODE_64;
    else
        emul->mode = protected && !virtual8086 && (code & SEG_ATTR_DB) ? DECODE_32 : DECODE_16;
    emul->result = EMUL_DONE;
    emul->hint = false;
}

void emul_begin(struct emul *emul)
{
    need_groups(emul, NEEDED_GROUPS);
    take_state(emul);
}

static uint64_t code_linear(const struct emul *emul)
{
    uint64_t linear = emul->page->rip;
    if (emul->mode != DECODE_64)
        linear = (emul->page->seg[SEG_CS].base + linear) & 0xffffffffull;
    return linear;
}

#define NOT_MEMORY ~0u

/* Where the code at `linear` is in the VMM; *room is the number of bytes to the end of its page.
 * NULL: not mapped (*error is the #PF error code), or no memory (NOT_MEMORY). */
static const uint8_t *code_at(struct emul *emul, uint64_t linear, uint32_t access, uint32_t *room,
                              uint32_t *error)
{
    uint64_t gpa;
    *error = NOT_MEMORY;
    *room = 0x1000u - (uint32_t)(linear & 0xfff);
    if (emul->user)
        access |= WALK_USER;
    if (!paging_walk(emul->mem, &emul->paging, linear, WALK_FETCH | access, &gpa, error))
        return NULL;
    return guest_mem_ptr(emul->mem, gpa, *room);
}

static void fetch_fault(struct emul *emul, uint64_t linear, uint32_t error)
{
    if (error == NOT_MEMORY)
        return; /* the decoder will miss the bytes */
    emul->page->cr2 = linear;
    emul->page->dirty |= VCPU_GROUP_CTRL;
    emul_fault(emul, VECTOR_PF, error);
}

/* Copies the bytes that could be fetched; a page boundary is crossed only when the instruction
 * does. Peeking faults nothing and takes what it can get. */
static uint32_t fetch(struct emul *emul, uint8_t *bytes, bool peek)
{
    const struct vcpu_page *page = emul->page;
    if (page->insn_count && page->insn_count <= sizeof(page->insn)) {
        memcpy(bytes, page->insn, page->insn_count);
        return page->insn_count;
    }
    uint64_t linear = code_linear(emul);
    uint32_t count = 0, room, error, access = peek ? WALK_PEEK : 0;
    while (count < INSN_MAX_BYTES) {
        const uint8_t *code = code_at(emul, linear + count, access, &room, &error);
        if (!code) {
            if (!peek)
                fetch_fault(emul, linear + count, error);
            return count;
        }
        uint32_t part = room < INSN_MAX_BYTES - count ? room : INSN_MAX_BYTES - count;
        memcpy(bytes + count, code, part);
        count += part;
        if (!peek && !decode_needs_more(emul->mode, bytes, count))
            break;
    }
    return count;
}

uint32_t emul_peek(struct emul *emul, uint8_t *bytes)
{
    emul_begin(emul);
    return fetch(emul, bytes, true);
}

static struct emul_cached *cache_slot(struct emul *emul)
{
    uint64_t rip = emul->page->rip;
    return &emul->cache[(rip ^ rip >> 6) % EMUL_CACHE_SIZE];
}

/* The instruction of a slot in the guest's memory, with all bytes that are compared; NULL: cannot
 * be had. Page tables are walked anew where anything on the way has changed, or is not as simple.
 */
static const uint8_t *cached_code(struct emul *emul, struct emul_cached *cached)
{
    uint64_t linear = code_linear(emul), gpa;
    uint32_t room, error, access = WALK_FETCH | (emul->user ? WALK_USER : 0);
    if (cached->code && cached->user == emul->user &&
        paging_unchanged(&cached->trail, &emul->paging))
        return cached->code;
    cached->code = NULL;
    cached->user = emul->user;
    const uint8_t *code = NULL;
    if (emul->mode == DECODE_64 &&
        paging_trail(emul->mem, &emul->paging, linear, access, &gpa, &cached->trail))
        code = guest_mem_ptr(emul->mem, gpa, sizeof(cached->bytes));
    if (code && (gpa & 0xfff) <= 0x1000 - sizeof(cached->bytes))
        return cached->code = code;
    code = code_at(emul, linear, 0, &room, &error);
    return code && room >= sizeof(cached->bytes) ? code : NULL;
}

/* The usual case in few instructions: the same bytes at the same place as last time. */
static bool cache_hit(struct emul *emul, struct emul_cached *cached)
{
    uint64_t now[2];
    if (cached->rip != emul->page->rip || cached->mode != (uint64_t)emul->mode + 1)
        return false;
    const uint8_t *code = cached_code(emul, cached);
    if (!code)
        return false;
    __builtin_memcpy(now, code, sizeof(now));
    return (((now[0] ^ cached->bytes[0]) & cached->mask[0]) |
            ((now[1] ^ cached->bytes[1]) & cached->mask[1])) == 0;
}

static bool cache_fill(struct emul *emul, struct emul_cached *cached)
{
    uint8_t bytes[16] = {0}, mask[16] = {0};
    uint32_t count = fetch(emul, bytes, false);
    emul->misses++;
    cached->mode = 0;
    cached->code = NULL;
    if (emul->result == EMUL_FAULT)
        return false;
    if (count == 0 || !decode_insn(emul->mode, bytes, count, &cached->insn))
        return emul_unknown(emul);
    memset(mask, 0xff, cached->insn.length);
    memcpy(cached->bytes, bytes, sizeof(bytes));
    memcpy(cached->mask, mask, sizeof(mask));
    cached->rip = emul->page->rip;
    cached->mode = (uint64_t)emul->mode + 1;
    return true;
}

static bool op_move(struct emul *emul)
{
    const struct insn_operand *to = &emul->insn->operand[0], *from = &emul->insn->operand[1];
    uint64_t value;
    if (to->kind >= OPERAND_SEG || from->kind >= OPERAND_SEG)
        return emul_move_special(emul);
    return emul_read(emul, from, &value) && emul_write(emul, to, value);
}

static bool op_extend(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    uint64_t value;
    if (!emul_read(emul, &insn->operand[1], &value))
        return false;
    if (insn->op == OP_MOVSX)
        value = alu_sign_extend(value, insn->operand[1].size);
    else if (insn->op == OP_MOVBE)
        value = __builtin_bswap64(value) >> (64 - 8 * insn->operand[1].size);
    return emul_write(emul, &insn->operand[0], value);
}

/* Reads operand 0 for a write to follow: one resolution, so that one access is one page fault. */
static bool read_modify(struct emul *emul, struct emul_ref *ref, uint64_t *value)
{
    const struct insn_operand *operand = &emul->insn->operand[0];
    if (operand->kind != OPERAND_MEM)
        return emul_read(emul, operand, value);
    *value = 0;
    if (operand->size > 8)
        return emul_unknown(emul);
    if (!emul_operand_ref(emul, operand, operand->size, EMUL_WRITE, ref))
        return false;
    emul_load(emul, ref, value);
    return true;
}

static bool write_back(struct emul *emul, const struct emul_ref *ref, uint64_t value)
{
    const struct insn_operand *operand = &emul->insn->operand[0];
    if (operand->kind != OPERAND_MEM)
        return emul_write(emul, operand, value);
    emul_store(emul, ref, &value);
    return true;
}

static bool op_binary(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    struct emul_ref ref;
    uint64_t a, b, *flags = &emul->page->rflags;
    if (insn->op == OP_CMP || insn->op == OP_TEST) {
        if (!emul_read(emul, &insn->operand[0], &a) || !emul_read(emul, &insn->operand[1], &b))
            return false;
        alu_binary(insn->op, insn->operand[0].size, a, b, flags);
        return true;
    }
    if (!emul_read(emul, &insn->operand[1], &b) || !read_modify(emul, &ref, &a))
        return false;
    return write_back(emul, &ref, alu_binary(insn->op, insn->operand[0].size, a, b, flags));
}

static bool op_unary(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    struct emul_ref ref;
    uint64_t a;
    if (!read_modify(emul, &ref, &a))
        return false;
    return write_back(emul, &ref,
                      alu_unary(insn->op, insn->operand[0].size, a, &emul->page->rflags));
}

/* XCHG and XADD; the decoder puts a memory operand first. */
static bool op_exchange(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    struct emul_ref ref;
    uint64_t a, b;
    if (insn->operand[1].kind == OPERAND_MEM)
        return emul_unknown(emul);
    if (!read_modify(emul, &ref, &a) || !emul_read(emul, &insn->operand[1], &b))
        return false;
    if (insn->op == OP_XCHG)
        return write_back(emul, &ref, b) && emul_write(emul, &insn->operand[1], a);
    uint64_t sum = alu_binary(OP_ADD, insn->operand[0].size, a, b, &emul->page->rflags);
    return emul_write(emul, &insn->operand[1], a) && write_back(emul, &ref, sum);
}

static bool op_cmpxchg(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    uint32_t size = insn->operand[0].size;
    uint64_t *flags = &emul->page->rflags, a, b;
    struct emul_ref ref;
    if (!read_modify(emul, &ref, &a) || !emul_read(emul, &insn->operand[1], &b))
        return false;
    alu_binary(OP_CMP, size, emul_gpr(emul, GPR_RAX, size), a, flags);
    if (*flags & RFLAGS_ZF)
        return write_back(emul, &ref, b);
    emul_set_gpr(emul, GPR_RAX, size, a);
    return write_back(emul, &ref, a); /* the CPU writes in both cases */
}

/* CMPXCHG8B, CMPXCHG16B */
static bool op_cmpxchg_pair(struct emul *emul)
{
    const struct insn_operand *operand = &emul->insn->operand[0];
    uint32_t half = operand->size / 2;
    uint64_t *flags = &emul->page->rflags;
    uint8_t data[16], expected[16], desired[16];
    struct emul_ref ref;
    if (half == 8 && (emul_offset(emul, operand) & 15)) {
        return emul_fault(emul, VECTOR_GP, 0);
    }
    if (!emul_operand_ref(emul, operand, operand->size, EMUL_WRITE, &ref))
        return false;
    const uint64_t *gpr = emul->page->gpr;
    memcpy(expected, &gpr[GPR_RAX], half);
    memcpy(expected + half, &gpr[GPR_RDX], half);
    memcpy(desired, &gpr[GPR_RBX], half);
    memcpy(desired + half, &gpr[GPR_RCX], half);
    emul_load(emul, &ref, data);
    if (memcmp(data, expected, operand->size) == 0) {
        emul_store(emul, &ref, desired);
        *flags |= RFLAGS_ZF;
        return true;
    }
    uint64_t low = 0, high = 0;
    memcpy(&low, data, half);
    memcpy(&high, data + half, half);
    emul_store(emul, &ref, data);
    emul_set_gpr(emul, GPR_RAX, half, low);
    emul_set_gpr(emul, GPR_RDX, half, high);
    *flags &= ~RFLAGS_ZF;
    return true;
}

static bool op_conditional(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    bool taken = alu_condition(insn->condition, emul->page->rflags);
    uint64_t value;
    if (insn->op == OP_SETCC)
        return emul_write(emul, &insn->operand[0], taken);
    if (!emul_read(emul, &insn->operand[1], &value)) /* read even if the condition is false */
        return false;
    if (!taken)
        value = emul_gpr(emul, insn->operand[0].reg, insn->operand[0].size);
    return emul_write(emul, &insn->operand[0], value);
}

static bool op_lea(struct emul *emul)
{
    const struct insn *insn = emul->insn;
    return emul_write(emul, &insn->operand[0], emul_offset(emul, &insn->operand[1]));
}

static bool op_nothing(struct emul *emul)
{
    (void)emul;
    return true;
}

static bool (*const handlers[OP_COUNT])(struct emul *) = {
    [OP_UNKNOWN] = emul_unknown,
    [OP_MOV] = op_move,
    [OP_MOVZX... OP_MOVBE] = op_extend,
    [OP_LEA] = op_lea,
    [OP_ADD... OP_TEST] = op_binary,
    [OP_INC... OP_NEG] = op_unary,
    [OP_XCHG] = op_exchange,
    [OP_CMPXCHG] = op_cmpxchg,
    [OP_CMPXCHG8B] = op_cmpxchg_pair,
    [OP_XADD] = op_exchange,
    [OP_BT... OP_IDIV] = emul_bits,
    [OP_SETCC... OP_CMOVCC] = op_conditional,
    [OP_PUSH... OP_JMP] = emul_stack,
    [OP_MOVS... OP_SCAS] = emul_string,
    [OP_INS... OP_OUTS] = emul_string_io,
    [OP_VMOV] = emul_vector,
    [OP_CLTS... OP_STR] = emul_system,
    [OP_INVALIDATE] = op_nothing,
};

/* What every completed instruction does: next RIP, RF and interrupt shadow off, single-step trap.
 */
static void finish(struct emul *emul, bool stepping)
{
    struct vcpu_page *page = emul->page;
    page->rip = emul->next_rip;
    page->rflags &= ~RFLAGS_RF;
    page->block &= ~VCPU_BLOCK_SHADOW;
    page->dirty |= VCPU_GROUP_CORE;
    if (!stepping)
        return;
    emul->bus->need(emul->opaque, VCPU_GROUP_DEBUG);
    page->dr6 |= DR6_BS;
    page->dirty |= VCPU_GROUP_DEBUG;
    emul_fault_plain(emul, VECTOR_DB);
}

static enum emul_result execute(struct emul *emul)
{
    struct vcpu_page *page = emul->page;
    struct emul_cached *cached = cache_slot(emul);
    if (cache_hit(emul, cached))
        emul->hits++;
    else if (!cache_fill(emul, cached))
        return emul->result;
    emul->insn = &cached->insn;
    if (cached->insn.memory_operands != 1)
        emul->hint = false;
    bool stepping = page->rflags & RFLAGS_TF;
    emul->next_rip = page->rip + cached->insn.length;
    if (emul->mode != DECODE_64)
        emul->next_rip &= 0xffffffffull;
    if (!(emul->hint && cached->insn.op == OP_MOV && emul_hinted_move(emul))) {
        need_groups(emul, NEEDED_GROUPS);
        if (!handlers[cached->insn.op](emul))
            return emul->result;
    }
    if (emul->result == EMUL_AGAIN) {
        page->dirty |= VCPU_GROUP_CORE;
        page->rflags |= RFLAGS_RF; /* as an interrupted repeated instruction */
        return EMUL_AGAIN;
    }
    finish(emul, stepping);
    return emul->result;
}

enum emul_result emulate_mmio(struct emul *emul)
{
    if ((emul->page->valid & MOVE_GROUPS) != MOVE_GROUPS)
        need_groups(emul, NEEDED_GROUPS);
    take_state(emul);
    if (!(emul->page->exit.mmio.flags & (MMIO_PAGEWALK | MMIO_FETCH))) {
        emul->hint = true;
        emul->hint_gpa = emul->page->exit.mmio.gpa;
    }
    return execute(emul);
}

enum emul_result emulate_insn(struct emul *emul)
{
    emul_begin(emul);
    return execute(emul);
}

uint32_t emulate_length(struct emul *emul)
{
    emul_begin(emul);
    struct emul_cached *cached = cache_slot(emul);
    if (!cache_hit(emul, cached) && !cache_fill(emul, cached))
        return 0;
    return cached->insn.length;
}

void emulate_skip(struct emul *emul, uint32_t length)
{
    struct vcpu_page *page = emul->page;
    if (length == 0) {
        length = emulate_length(emul);
        if (emul->result == EMUL_FAULT)
            return;
    } else {
        emul_begin(emul);
    }
    bool stepping = page->rflags & RFLAGS_TF;
    emul->next_rip = page->rip + length;
    if (emul->mode != DECODE_64)
        emul->next_rip &= 0xffffffffull;
    finish(emul, stepping);
}
