/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug registers, breakpoints on code, data and I/O, single step, across exits. */
#include "lib/guest.h"

static volatile uint64_t watched;

static void registers(void)
{
    write_dr0(0x1111000);
    write_dr1(0x2222000);
    write_dr2(0x3333000);
    write_dr3(0x4444000);
    (void)cpuid(0, 0);
    (void)inb(0x71);
    delay_us(5000);
    check_eq("debug.dr0_kept", read_dr0(), 0x1111000);
    check_eq("debug.dr1_kept", read_dr1(), 0x2222000);
    check_eq("debug.dr2_kept", read_dr2(), 0x3333000);
    check_eq("debug.dr3_kept", read_dr3(), 0x4444000);
    check_eq("debug.dr7_after_reset", read_dr7() & ~0x400ull, 0);
    write_dr7(0x400);
}

static void data(void)
{
    write_dr0((uint64_t)&watched);
    write_dr6(0xffff0ff0);
    write_dr7(0x400 | 2 | 0xdull << 16); /* G0, write, 4 bytes */
    int r = TRY("movl $1, %0", "+m"(*(volatile uint32_t *)&watched) : : "memory");
    check_eq("debug.data_write", (uint64_t)r, DB);
    check_eq("debug.data_write_dr6", fault.dr6 & 0xf, 1);
    (void)cpuid(0, 0);
    write_dr6(0xffff0ff0);
    r = TRY("movl %0, %%eax", : "m"(watched) : "eax", "memory");
    check_eq("debug.data_write_not_on_read", (uint64_t)r, (uint64_t)NO_FAULT);
    delay_us(5000);
    r = TRY("movl $2, %0", "+m"(*(volatile uint32_t *)&watched) : : "memory");
    check_eq("debug.data_write_after_time", (uint64_t)r, DB);
    write_dr7(0x400);
    r = TRY("movl $3, %0", "+m"(*(volatile uint32_t *)&watched) : : "memory");
    check_eq("debug.disabled", (uint64_t)r, (uint64_t)NO_FAULT);
}

static void code(void)
{
    uint64_t target;
    __asm__ volatile("leaq debug_target(%%rip), %0" : "=r"(target));
    write_dr1(target);
    write_dr6(0xffff0ff0);
    write_dr7(0x400 | 8);
    int r = TRY("debug_target: nop", : : "memory");
    check_eq("debug.code_breakpoint", (uint64_t)r, DB);
    check_eq("debug.code_breakpoint_dr6", fault.dr6 & 0xf, 2);
    check_eq("debug.code_breakpoint_is_a_fault", fault.rip, target);
    write_dr7(0x400);
}

static void general_detect(void)
{
    write_dr6(0xffff0ff0);
    write_dr7(0x400 | 0x2000);
    uint64_t value;
    int r = TRY("movq %%dr0, %0", "=r"(value) : : "memory");
    say("info general detect: %d\n", r);
    write_dr7(0x400);
    if (r == NO_FAULT)
        return;
    check_eq("debug.general_detect", (uint64_t)r, DB);
}

static void single_step(void)
{
    write_dr6(0xffff0ff0);
    int r = TRY("pushfq; orl $0x100, (%%rsp); popfq; nop; nop", : : "memory", "cc");
    check_eq("debug.single_step", (uint64_t)r, DB);
    check_eq("debug.single_step_dr6", fault.dr6 & 0x4000, 0x4000);
}

static volatile uint64_t steps, step_rip[8];

static void on_step(struct trap_frame *f)
{
    if (steps < 8)
        step_rip[steps] = f->rip;
    steps++;
    write_dr6(0xffff0ff0);
}

/* Stepping over instructions that exit: the trap comes after each, as it does bare. */
static void step_over_exits(void)
{
    uint64_t first, second, third;
    trap_set(DB, on_step);
    __asm__ volatile("leaq step_1(%%rip), %0; leaq step_2(%%rip), %1; leaq step_3(%%rip), %2"
                     : "=r"(first), "=r"(second), "=r"(third));
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq\n\t"
                     "xorl %%eax, %%eax\n"
                     "step_1: cpuid\n"
                     "step_2: inb $0x71, %%al\n"
                     "step_3: pushfq; andl $~0x100, (%%rsp); popfq"
                     :
                     :
                     : "rax", "rbx", "rcx", "rdx", "memory", "cc");
    trap_set(DB, NULL);
    check_eq("debug.step_before_cpuid", step_rip[0], first);
    check_eq("debug.step_over_cpuid", step_rip[1], second);
    check_eq("debug.step_over_in", step_rip[2], third);
}

static void reserved(void)
{
    int r = TRY("movq %0, %%dr7", : "r"(1ull << 40) : "memory");
    say("info dr7 with high bits: %d\n", r);
    uint64_t cr4 = read_cr4(), value;
    write_cr4(cr4 | 8);
    r = TRY("movq %%dr4, %0", "=r"(value) : : "memory");
    check_eq("debug.dr4_with_de", (uint64_t)r, UD);
    write_cr4(cr4);
}

void guest_main(void)
{
    registers();
    data();
    code();
    general_detect();
    single_step();
    step_over_exits();
    reserved();
}
