/* SPDX-License-Identifier: BSD-2-Clause */
/* Speculation: what boot/speculation.c has decided is done here. */
#include "arch/x86_64/mitigations.h"

#include "arch/x86_64/cpublock.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/msr.h"

struct mitigations mitigations;
uint64_t host_spec_ctrl;

/* One word each, so that a hot call costs one load and one branch. */
static bool switch_work, vmexit_work, exit_work;

void mitigations_init(const struct mitigations *needed)
{
    mitigations = *needed;
    host_spec_ctrl =
        (mitigations.ibrs ? SPEC_CTRL_IBRS : 0) | (mitigations.stibp ? SPEC_CTRL_STIBP : 0);
    vmexit_work = mitigations.rsb_fill || mitigations.untrain_ret || mitigations.ibrs;
    switch_work = mitigations.ibpb_on_switch || mitigations.l1d_flush;
    exit_work = mitigations.verw || mitigations.l1d_flush;
    mitigations_init_cpu();
}

void mitigations_init_cpu(void)
{
    if (!mitigations.decided)
        return;
    if (host_spec_ctrl)
        wrmsr(IA32_SPEC_CTRL, host_spec_ctrl);
    if (mitigations.auto_ibrs)
        wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_AIBRSE);
    if (mitigations.lfence_serial)
        wrmsr(AMD_DE_CFG, rdmsr(AMD_DE_CFG) | DE_CFG_LFENCE);
}

static NOINLINE void between_domains(void)
{
    if (mitigations.ibpb_on_switch)
        wrmsr(IA32_PRED_CMD, PRED_CMD_IBPB);
    cpu_block(cpu_self())->l1d_dirty = true;
}

void mitigate_switch(void)
{
    if (unlikely(switch_work))
        between_domains();
}

/* VERW of any valid selector overwrites the buffers (Intel, "Microarchitectural Data Sampling"). */
static void clear_buffers(void)
{
    uint16_t selector = SEL_KDATA;
    __asm__ volatile("verw %0" ::"m"(selector) : "cc");
}

static NOINLINE void before_exit(bool to_guest)
{
    struct cpu_block *block = cpu_block(cpu_self());

    if (to_guest && mitigations.l1d_flush && block->l1d_dirty) {
        wrmsr(IA32_FLUSH_CMD, FLUSH_CMD_L1D);
        block->l1d_dirty = false;
    }
    if (mitigations.verw)
        clear_buffers();
}

void mitigate_exit(bool to_guest)
{
    if (unlikely(exit_work))
        before_exit(to_guest);
}

/* 32 calls whose return addresses all lead into an endless PAUSE; architecturally each is skipped
 * by raising RSP. */
static void fill_rsb(void)
{
    uint64_t count = 16;
    __asm__ volatile("1: call 3f\n\t"
                     "2: pause; lfence; jmp 2b\n\t"
                     "3: call 5f\n\t"
                     "4: pause; lfence; jmp 4b\n\t"
                     "5: dec %0\n\t"
                     "jnz 1b\n\t"
                     "add $256, %%rsp\n\t"
                     "lfence"
                     : "+r"(count)::"memory", "cc");
}

static NOINLINE void after_vmexit(void)
{
    if (mitigations.ibrs)
        wrmsr(IA32_SPEC_CTRL, host_spec_ctrl);
    if (mitigations.untrain_ret)
        wrmsr(IA32_PRED_CMD, PRED_CMD_IBPB);
    if (mitigations.rsb_fill)
        fill_rsb();
}

void mitigate_vmexit(void)
{
    if (unlikely(vmexit_work))
        after_vmexit();
}
