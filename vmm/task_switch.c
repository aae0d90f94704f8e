/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware task switches, which leave the guest for us: AMD64 Architecture Programmer's Manual,
 * volume 2, "Task Management"; order of checks as in Intel's volume 3, "Task Switching". */
#include <string.h>

#include "vmm/emulate.h"
#include "vmm/vmm.h"
#include "vmm/x86.h"

enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };

#define TSS32_LIMIT 0x67u
#define TSS16_LIMIT 0x2bu
#define DESC_BUSY   (1ull << 41)
#define DESC_P      (1ull << 47)
#define DESC_S      (1ull << 44)

#define TYPE_LDT   2u
#define TYPE_TSS16 1u /* available; busy is 2 more */
#define TYPE_TSS32 9u

struct descriptor {
    uint64_t raw;
    uint64_t linear; /* where it stands */
};

static uint32_t desc_type(uint64_t raw)
{
    return (uint32_t)(raw >> 40) & 15;
}

static uint32_t desc_dpl(uint64_t raw)
{
    return (uint32_t)(raw >> 45) & 3;
}

static uint32_t desc_limit(uint64_t raw)
{
    uint32_t limit = (uint32_t)(raw & 0xffff) | ((uint32_t)(raw >> 32) & 0xf0000);
    return raw & (1ull << 55) ? limit << 12 | 0xfff : limit;
}

static uint64_t desc_base(uint64_t raw)
{
    return (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000);
}

static struct vcpu_segment desc_segment(uint16_t selector, uint64_t raw)
{
    return (struct vcpu_segment){.base = desc_base(raw),
                                 .limit = desc_limit(raw),
                                 .selector = selector,
                                 .attr = (uint16_t)((raw >> 40 & 0xff) | (raw >> 44 & 0xf00))};
}

/* Faults of the switch name the selector, without its RPL. */
static bool switch_fault(struct emul *emul, uint8_t vector, uint16_t selector)
{
    return emul_fault(emul, vector, selector & 0xfffcu);
}

static bool read_descriptor(struct emul *emul, uint16_t selector, uint8_t vector,
                            struct descriptor *desc)
{
    const struct vcpu_page *page = emul->page;
    const struct vcpu_segment *ldt = &page->seg[SEG_LDTR];
    bool local = selector & 4;
    uint64_t base = local ? ldt->base : page->gdtr.base;
    uint32_t limit = local ? ldt->limit : page->gdtr.limit, offset = selector & 0xfff8u;
    bool no_table = local && ((ldt->attr & SEG_ATTR_UNUSABLE) || !(ldt->attr & SEG_ATTR_P));
    if (no_table || offset + 7 > limit)
        return switch_fault(emul, vector, selector);
    desc->linear = (base + offset) & 0xffffffffull;
    return emul_read_linear(emul, desc->linear, &desc->raw, 8, EMUL_SYSTEM);
}

/* The byte that holds the type alone: other CPUs may use its neighbours. */
static bool set_busy(struct emul *emul, struct descriptor *desc, bool busy)
{
    desc->raw = busy ? desc->raw | DESC_BUSY : desc->raw & ~DESC_BUSY;
    uint8_t byte = (uint8_t)(desc->raw >> 40);
    return emul_write_linear(emul, desc->linear + 5, &byte, 1, EMUL_SYSTEM);
}

/* --- the two formats --- */

struct tss_layout {
    uint8_t width; /* of registers: 2 or 4 */
    uint8_t ip, flags, first_gpr, first_seg, segs, seg_step, ldt;
    uint8_t saved_from, saved_to; /* what a switch writes */
};

static const struct tss_layout tss32 = {4, 0x20, 0x24, 0x28, 0x48, 6, 4, 0x60, 0x20, 0x60};
static const struct tss_layout tss16 = {2, 0x0e, 0x10, 0x12, 0x22, 4, 2, 0x2a, 0x0e, 0x2a};

static uint64_t tss_get(const uint8_t *tss, uint32_t offset, uint32_t size)
{
    uint64_t value = 0;
    memcpy(&value, tss + offset, size);
    return value;
}

static bool save_old(struct emul *emul, const struct tss_layout *layout, uint64_t rip,
                     uint64_t rflags)
{
    const struct vcpu_page *page = emul->page;
    uint64_t base = page->seg[SEG_TR].base;
    uint32_t size = (uint32_t)(layout->saved_to - layout->saved_from);
    uint8_t tss[TSS32_LIMIT + 1];
    if (!emul_read_linear(emul, base + layout->saved_from, tss + layout->saved_from, size,
                          EMUL_SYSTEM | EMUL_WRITE))
        return false;
    memcpy(tss + layout->ip, &rip, layout->width);
    memcpy(tss + layout->flags, &rflags, layout->width);
    for (uint32_t i = 0; i < 8; i++)
        memcpy(tss + layout->first_gpr + i * layout->width, &page->gpr[i], layout->width);
    for (uint32_t i = 0; i < layout->segs; i++)
        memcpy(tss + layout->first_seg + i * layout->seg_step, &page->seg[i].selector, 2);
    return emul_write_linear(emul, base + layout->saved_from, tss + layout->saved_from, size,
                             EMUL_SYSTEM);
}

/* --- loading segments in the new task --- */

static bool load_ldt(struct emul *emul, uint16_t selector)
{
    struct vcpu_segment *ldt = &emul->page->seg[SEG_LDTR];
    struct descriptor desc = {0};
    *ldt = (struct vcpu_segment){.selector = selector, .attr = SEG_ATTR_UNUSABLE};
    if (!(selector & 0xfffc))
        return true;
    if (selector & 4)
        return switch_fault(emul, VECTOR_TS, selector);
    if (!read_descriptor(emul, selector, VECTOR_TS, &desc))
        return false;
    if ((desc.raw & DESC_S) || desc_type(desc.raw) != TYPE_LDT || !(desc.raw & DESC_P))
        return switch_fault(emul, VECTOR_TS, selector);
    *ldt = desc_segment(selector, desc.raw);
    return true;
}

/* Is this descriptor right for the register? cpl: of the new task. */
static bool segment_fits(uint32_t seg, uint16_t selector, uint64_t raw, uint32_t cpl)
{
    uint32_t type = desc_type(raw), dpl = desc_dpl(raw), rpl = selector & 3;
    bool code = type & 8;
    if (!(raw & DESC_S))
        return false;
    if (seg == SEG_CS)
        return code && (type & 4 ? dpl <= rpl : dpl == rpl);
    if (seg == SEG_SS)
        return !code && (type & 2) && dpl == cpl && rpl == cpl;
    if (code && !(type & 2))
        return false; /* not readable */
    return (code && (type & 4)) || (dpl >= cpl && dpl >= rpl);
}

static bool load_segment(struct emul *emul, uint32_t seg, uint16_t selector, uint32_t cpl)
{
    struct descriptor desc = {0};
    bool null = !(selector & 0xfffc);
    if (null && (seg == SEG_CS || seg == SEG_SS))
        return switch_fault(emul, VECTOR_TS, selector);
    if (null) {
        emul->page->seg[seg] =
            (struct vcpu_segment){.selector = selector, .attr = SEG_ATTR_UNUSABLE};
        return true;
    }
    if (!read_descriptor(emul, selector, VECTOR_TS, &desc))
        return false;
    if (!segment_fits(seg, selector, desc.raw, cpl))
        return switch_fault(emul, VECTOR_TS, selector);
    if (!(desc.raw & DESC_P))
        return switch_fault(emul, seg == SEG_SS ? VECTOR_SS : VECTOR_NP, selector);
    if (!(desc_type(desc.raw) & 1)) { /* accessed */
        desc.raw |= 1ull << 40;
        uint8_t byte = (uint8_t)(desc.raw >> 40);
        if (!emul_write_linear(emul, desc.linear + 5, &byte, 1, EMUL_SYSTEM))
            return false;
    }
    emul->page->seg[seg] = desc_segment(selector, desc.raw);
    return true;
}

static void load_virtual_8086(struct emul *emul, uint32_t seg, uint16_t selector)
{
    emul->page->seg[seg] = (struct vcpu_segment){
        .base = (uint64_t)selector << 4, .limit = 0xffff, .selector = selector, .attr = 0xf3};
}

/* All selectors are visible before the first one is checked: a fault is taken in the new task. */
static bool load_segments(struct emul *emul, const struct tss_layout *layout, const uint8_t *tss)
{
    static const uint8_t order[6] = {SEG_CS, SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    struct vcpu_page *page = emul->page;
    uint16_t selector[6] = {0};
    for (uint32_t i = 0; i < 6; i++) {
        if (i < layout->segs)
            selector[i] = (uint16_t)tss_get(tss, layout->first_seg + i * layout->seg_step, 2);
        page->seg[i].selector = selector[i];
    }
    if (page->rflags & RFLAGS_VM) {
        for (uint32_t i = 0; i < 6; i++)
            load_virtual_8086(emul, i, selector[i]);
        return load_ldt(emul, (uint16_t)tss_get(tss, layout->ldt, 2));
    }
    uint32_t cpl = selector[SEG_CS] & 3;
    page->seg[SEG_SS].attr = (uint16_t)((page->seg[SEG_SS].attr & ~0x60u) | cpl << 5);
    emul->user = cpl == 3;
    if (!load_ldt(emul, (uint16_t)tss_get(tss, layout->ldt, 2)))
        return false;
    for (uint32_t i = 0; i < 6; i++)
        if (!load_segment(emul, order[i], selector[order[i]], cpl))
            return false;
    return true;
}

static void load_registers(struct emul *emul, const struct tss_layout *layout, const uint8_t *tss)
{
    struct vcpu_page *page = emul->page;
    if (layout->width == 4 && (page->cr0 & CR0_PG)) {
        page->cr3 = tss_get(tss, 0x1c, 4);
        emul->paging.cr3 = page->cr3;
    }
    page->rip = tss_get(tss, layout->ip, layout->width);
    page->rflags = (tss_get(tss, layout->flags, layout->width) & RFLAGS_WRITABLE) | RFLAGS_ONE;
    emul->paging.rflags = page->rflags;
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t value = tss_get(tss, layout->first_gpr + i * layout->width, layout->width);
        page->gpr[i] = layout->width == 2 ? value | 0xffff0000u : value;
    }
}

static bool push_error(struct emul *emul, const struct tss_layout *layout, uint32_t error)
{
    struct vcpu_page *page = emul->page;
    bool wide = page->seg[SEG_SS].attr & SEG_ATTR_DB;
    uint64_t mask = wide ? 0xffffffffull : 0xffffull, linear;
    uint64_t top = (page->gpr[GPR_RSP] - layout->width) & mask;
    if (!emul_segment(emul, SEG_SS, top, layout->width, EMUL_WRITE, &linear) ||
        !emul_write_linear(emul, linear, &error, layout->width, 0))
        return false;
    page->gpr[GPR_RSP] = (page->gpr[GPR_RSP] & ~mask) | top;
    return true;
}

/* --- the switch --- */

static bool check_new(struct emul *emul, uint16_t selector, uint32_t source,
                      struct descriptor *desc)
{
    const struct vcpu_page *page = emul->page;
    uint8_t wrong = source == TASK_IRET ? VECTOR_TS : VECTOR_GP;
    if (!(selector & 0xfffc) || (selector & 4))
        return switch_fault(emul, wrong, selector);
    if (!read_descriptor(emul, selector, wrong, desc))
        return false;
    uint32_t type = desc_type(desc->raw), available = type & ~2u;
    bool busy = type & 2;
    if ((desc->raw & DESC_S) || (available != TYPE_TSS16 && available != TYPE_TSS32) ||
        busy != (source == TASK_IRET))
        return switch_fault(emul, wrong, selector);
    if (source == TASK_CALL || source == TASK_JMP) {
        uint32_t cpl = SEG_ATTR_DPL(page->seg[SEG_SS].attr), rpl = selector & 3;
        uint32_t dpl = desc_dpl(desc->raw);
        if (dpl < cpl || dpl < rpl)
            return switch_fault(emul, VECTOR_GP, selector);
    }
    if (!(desc->raw & DESC_P))
        return switch_fault(emul, VECTOR_NP, selector);
    if (desc_limit(desc->raw) < (available == TYPE_TSS32 ? TSS32_LIMIT : TSS16_LIMIT))
        return switch_fault(emul, VECTOR_TS, selector);
    return true;
}

/* Where the old task goes on. */
static bool return_address(struct emul *emul, uint32_t source, uint64_t *rip)
{
    const struct vcpu_page *page = emul->page;
    const struct vcpu_event *event = &page->exit.task.event;
    uint32_t length = page->insn_len;
    if (source == TASK_GATE) {
        *rip = page->rip + (event->type == EVENT_SWINT ? event->insn_len : 0);
        return true;
    }
    if (length == 0) {
        length = emulate_length(emul);
        if (emul->result != EMUL_DONE)
            return false;
    }
    *rip = (page->rip + length) & 0xffffffffull;
    return true;
}

static void enter_task(struct emul *emul, uint16_t selector, uint64_t raw, uint32_t source)
{
    struct vcpu_page *page = emul->page;
    emul->bus->need(emul->opaque, VCPU_GROUP_DEBUG);
    if (source == TASK_CALL || source == TASK_GATE)
        page->rflags |= RFLAGS_NT;
    page->cr0 |= CR0_TS;
    page->dr7 &= ~0x155ull; /* local breakpoints end with the task */
    page->seg[SEG_TR] = desc_segment(selector, raw | DESC_BUSY);
    page->block &= ~VCPU_BLOCK_SHADOW;
    page->dirty |= VCPU_GROUP_CORE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL | VCPU_GROUP_DEBUG;
}

/* Everything that can fault in the old task comes first. */
static bool leave_old(struct emul *emul, uint32_t source, struct descriptor *next, uint8_t *tss)
{
    const struct vcpu_page *page = emul->page;
    const struct vcpu_segment *old = &page->seg[SEG_TR];
    const struct tss_layout *layout = (old->attr & 15 & ~2u) == TYPE_TSS32 ? &tss32 : &tss16;
    struct descriptor previous = {0};
    uint64_t rip, rflags = page->rflags;
    bool wide = (desc_type(next->raw) & ~2u) == TYPE_TSS32;
    uint16_t link = old->selector;
    if (!return_address(emul, source, &rip) ||
        !emul_read_linear(emul, desc_base(next->raw), tss, (wide ? TSS32_LIMIT : TSS16_LIMIT) + 1,
                          EMUL_SYSTEM))
        return false;
    if (source == TASK_IRET)
        rflags &= ~RFLAGS_NT;
    if ((source == TASK_IRET || source == TASK_JMP) &&
        (!read_descriptor(emul, old->selector, VECTOR_TS, &previous) ||
         !set_busy(emul, &previous, false)))
        return false;
    if (!save_old(emul, layout, rip, rflags))
        return false;
    if ((source == TASK_CALL || source == TASK_GATE) &&
        !emul_write_linear(emul, desc_base(next->raw), &link, 2, EMUL_SYSTEM))
        return false;
    return source == TASK_IRET || set_busy(emul, next, true);
}

enum emul_result task_switch(struct emul *emul)
{
    struct vcpu_page *page = emul->page;
    uint16_t selector = page->exit.task.selector;
    uint32_t source = page->exit.task.source, error = page->exit.task.error;
    bool has_error = page->exit.task.has_error;
    struct descriptor next = {0};
    uint8_t tss[TSS32_LIMIT + 1] = {0};
    emul_begin(emul);
    if (!check_new(emul, selector, source, &next) || !leave_old(emul, source, &next, tss))
        return emul->result;
    const struct tss_layout *layout = (desc_type(next.raw) & ~2u) == TYPE_TSS32 ? &tss32 : &tss16;
    load_registers(emul, layout, tss);
    enter_task(emul, selector, next.raw, source);
    if (!load_segments(emul, layout, tss))
        return emul->result;
    if (has_error && !push_error(emul, layout, error))
        return emul->result;
    if (page->rip > page->seg[SEG_CS].limit) {
        emul_fault(emul, VECTOR_GP, 0);
    } else if (layout == &tss32 && (tss[0x64] & 1)) {
        page->dr6 |= DR6_BT;
        emul_fault_plain(emul, VECTOR_DB);
    }
    return emul->result;
}
