/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware task switches in a protected-mode guest without paging. */
#include "test.h"
#include <stdint.h>
#include "vmm/alu.c"
#include "vmm/decode.c"
#include "vmm/emulate.c"
#include "vmm/emulate_bits.c"
#include "vmm/emulate_mem.c"
#include "vmm/emulate_stack.c"
#include "vmm/emulate_string.c"
#include "vmm/emulate_system.c"
#include "vmm/emulate_vector.c"
#include "vmm/guest_mem.c"
#include "vmm/paging_walk.c"
#include "vmm/task_switch.c"

#define RAM     0x10000u
#define GDT     0x1000u
#define OLD     0x2000u
#define NEW     0x3000u
#define NEW16   0x4000u
#define CODE    0x5000u
#define STACK   0x8000u
#define SEL_CS  0x08u
#define SEL_DS  0x10u
#define SEL_OLD 0x18u
#define SEL_NEW 0x20u
#define SEL_16  0x28u

static uint8_t ram[RAM];
static struct vcpu_page page;
static struct guest_mem mem;
static struct emul emul;

static void need(void *opaque, uint32_t groups)
{
    (void)opaque;
    page.valid |= groups;
}

static const struct emul_bus test_bus = {.need = need};

static void put(uint32_t at, uint64_t value, uint32_t size)
{
    memcpy(ram + at, &value, size);
}

static uint64_t get(uint32_t at, uint32_t size)
{
    uint64_t value = 0;
    memcpy(&value, ram + at, size);
    return value;
}

static void descriptor(uint32_t selector, uint32_t base, uint32_t limit, uint32_t access,
                       uint32_t flags)
{
    put(GDT + selector,
        (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
            (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 |
            (uint64_t)(base >> 24) << 56,
        8);
}

static void setup(uint32_t source, uint16_t selector)
{
    memset(ram, 0, sizeof(ram));
    memset(&page, 0, sizeof(page));
    memset(&mem, 0, sizeof(mem));
    guest_mem_add(&mem, 0, RAM, ram, true);
    descriptor(SEL_CS, 0, 0xfffff, 0x9b, 0xc);
    descriptor(SEL_DS, 0, 0xfffff, 0x93, 0xc);
    descriptor(SEL_OLD, OLD, 0x67, 0x8b, 0);
    descriptor(SEL_NEW, NEW, 0x67, source == TASK_IRET ? 0x8b : 0x89, 0);
    descriptor(SEL_16, NEW16, 0x2b, 0x81, 0);
    page.gdtr = (struct vcpu_table){.base = GDT, .limit = 0x2f};
    page.cr0 = CR0_PE;
    page.rflags = 2 | RFLAGS_NT;
    page.rip = CODE;
    page.insn_len = 7;
    page.gpr[GPR_RAX] = 0xa1;
    page.gpr[GPR_RSP] = STACK;
    for (uint32_t i = 0; i <= SEG_GS; i++)
        page.seg[i] = (struct vcpu_segment){.limit = 0xffffffff, .selector = SEL_DS, .attr = 0xc93};
    page.seg[SEG_CS].selector = SEL_CS;
    page.seg[SEG_CS].attr = 0xc9b;
    page.seg[SEG_TR] =
        (struct vcpu_segment){.base = OLD, .limit = 0x67, .selector = SEL_OLD, .attr = 0x8b};
    page.seg[SEG_LDTR].attr = SEG_ATTR_UNUSABLE;
    page.valid = VCPU_GROUP_ALL;
    page.exit.task.source = (uint8_t)source;
    page.exit.task.selector = selector;
    /* The new task. */
    put(NEW + 0x20, CODE + 0x100, 4);
    put(NEW + 0x24, 2, 4);
    put(NEW + 0x28, 0xb2, 4);       /* EAX */
    put(NEW + 0x38, STACK - 64, 4); /* ESP */
    for (uint32_t i = 0; i < 6; i++)
        put(NEW + 0x48 + 4 * i, i == 1 ? SEL_CS : SEL_DS, 2);
    put(NEW16 + 0x0e, CODE + 0x200, 2);
    put(NEW16 + 0x10, 2, 2);
    put(NEW16 + 0x12, 0xc3, 2);
    put(NEW16 + 0x1a, STACK - 128, 2);
    for (uint32_t i = 0; i < 4; i++)
        put(NEW16 + 0x22 + 2 * i, i == 1 ? SEL_CS : SEL_DS, 2);
    emul_init(&emul, &page, &mem, &test_bus, NULL, 36);
}

static uint32_t type_of(uint32_t selector)
{
    return ram[GDT + selector + 5] & 15;
}

TEST(call)
{
    setup(TASK_CALL, SEL_NEW);
    CHECK_EQ(task_switch(&emul), EMUL_DONE);
    CHECK_EQ(page.rip, CODE + 0x100);
    CHECK_EQ(page.gpr[GPR_RAX], 0xb2);
    CHECK_EQ(page.rflags, 2 | RFLAGS_NT);
    CHECK_EQ(page.seg[SEG_TR].selector, SEL_NEW);
    CHECK_EQ(page.seg[SEG_TR].base, NEW);
    CHECK_EQ(page.seg[SEG_TR].attr & 15, 11);
    CHECK(page.cr0 & CR0_TS);
    CHECK_EQ(get(NEW, 2), SEL_OLD); /* back link */
    CHECK_EQ(get(OLD + 0x20, 4), CODE + 7);
    CHECK_EQ(get(OLD + 0x28, 4), 0xa1);
    CHECK_EQ(get(OLD + 0x38, 4), STACK);
    CHECK_EQ(get(OLD + 0x4c, 2), SEL_CS);
    CHECK_EQ(type_of(SEL_OLD), 11); /* both busy: they nest */
    CHECK_EQ(type_of(SEL_NEW), 11);
}

TEST(jump)
{
    setup(TASK_JMP, SEL_NEW);
    CHECK_EQ(task_switch(&emul), EMUL_DONE);
    CHECK_EQ(type_of(SEL_OLD), 9);
    CHECK_EQ(type_of(SEL_NEW), 11);
    CHECK_EQ(page.rflags, 2);
    CHECK_EQ(get(NEW, 2), 0);
}

TEST(interrupt_return)
{
    setup(TASK_IRET, SEL_NEW);
    CHECK_EQ(task_switch(&emul), EMUL_DONE);
    CHECK_EQ(type_of(SEL_OLD), 9);
    CHECK_EQ(type_of(SEL_NEW), 11);
    CHECK_EQ(get(OLD + 0x24, 4), 2); /* saved without NT */
}

TEST(gate_with_error_code)
{
    setup(TASK_GATE, SEL_NEW);
    page.exit.task.has_error = 1;
    page.exit.task.error = 0x1234;
    CHECK_EQ(task_switch(&emul), EMUL_DONE);
    CHECK_EQ(get(OLD + 0x20, 4), CODE); /* the fault returns to its instruction */
    CHECK_EQ(page.gpr[GPR_RSP], STACK - 68);
    CHECK_EQ(get(STACK - 68, 4), 0x1234);
    CHECK(page.rflags & RFLAGS_NT);
}

TEST(gate_by_int_n)
{
    setup(TASK_GATE, SEL_NEW);
    page.exit.task.event = (struct vcpu_event){.type = EVENT_SWINT, .insn_len = 2};
    CHECK_EQ(task_switch(&emul), EMUL_DONE);
    CHECK_EQ(get(OLD + 0x20, 4), CODE + 2);
}

TEST(to_16_bit_tss)
{
    setup(TASK_JMP, SEL_16);
    page.gpr[GPR_RAX] = 0xffffaaaa;
    CHECK_EQ(task_switch(&emul), EMUL_DONE);
    CHECK_EQ(page.rip, CODE + 0x200);
    CHECK_EQ(page.gpr[GPR_RAX] & 0xffff, 0xc3);
    CHECK_EQ(page.seg[SEG_TR].attr & 15, 3);
}

TEST(virtual_8086)
{
    setup(TASK_JMP, SEL_NEW);
    put(NEW + 0x24, 2 | RFLAGS_VM, 4);
    put(NEW + 0x4c, 0x234, 2);
    put(NEW + 0x20, 0x10, 4);
    CHECK_EQ(task_switch(&emul), EMUL_DONE);
    CHECK_EQ(page.seg[SEG_CS].base, 0x2340);
    CHECK_EQ(page.seg[SEG_CS].attr, 0xf3);
}

static bool faults(uint8_t vector, uint32_t error)
{
    return task_switch(&emul) == EMUL_FAULT && page.event.vector == vector &&
           page.event.error == error;
}

TEST(faults_in_the_old_task)
{
    setup(TASK_CALL, SEL_NEW);
    ram[GDT + SEL_NEW + 5] = 0x8b; /* busy */
    CHECK(faults(VECTOR_GP, SEL_NEW));
    CHECK_EQ(page.rip, CODE);
    setup(TASK_CALL, SEL_NEW);
    ram[GDT + SEL_NEW + 5] = 0x09; /* not present */
    CHECK(faults(VECTOR_NP, SEL_NEW));
    setup(TASK_CALL, SEL_NEW);
    ram[GDT + SEL_NEW] = 0x66; /* limit */
    CHECK(faults(VECTOR_TS, SEL_NEW));
    setup(TASK_CALL, 0x30); /* beyond the GDT */
    CHECK(faults(VECTOR_GP, 0x30));
    setup(TASK_IRET, SEL_NEW);
    ram[GDT + SEL_NEW + 5] = 0x89; /* returns go to busy tasks only */
    CHECK(faults(VECTOR_TS, SEL_NEW));
    setup(TASK_CALL, SEL_NEW | 3);
    CHECK(faults(VECTOR_GP, SEL_NEW)); /* RPL 3, DPL 0 */
}

TEST(faults_in_the_new_task)
{
    setup(TASK_JMP, SEL_NEW);
    put(NEW + 0x50, SEL_CS, 2); /* SS is no data segment */
    CHECK(faults(VECTOR_TS, SEL_CS));
    CHECK_EQ(page.rip, CODE + 0x100);
    CHECK_EQ(page.seg[SEG_TR].selector, SEL_NEW);
    setup(TASK_JMP, SEL_NEW);
    put(NEW + 0x60, 0x14, 2); /* LDT selector in an LDT */
    CHECK(faults(VECTOR_TS, 0x14));
    setup(TASK_JMP, SEL_NEW);
    put(NEW + 0x64, 1, 2); /* debug trap */
    CHECK(faults(VECTOR_DB, 0));
    CHECK(page.dr6 & DR6_BT);
}
