/* SPDX-License-Identifier: BSD-2-Clause */
#include "virt/lazy.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "virt/msr.h"

#define DR_ACCESSORS(n)                                   \
    static inline uint64_t read_dr##n(void)               \
    {                                                     \
        uint64_t v;                                       \
        __asm__ volatile("mov %%db" #n ", %0" : "=r"(v)); \
        return v;                                         \
    }                                                     \
    static inline void write_dr##n(uint64_t v)            \
    {                                                     \
        __asm__ volatile("mov %0, %%db" #n ::"r"(v));     \
    }
DR_ACCESSORS(0)
DR_ACCESSORS(1)
DR_ACCESSORS(2)
DR_ACCESSORS(3)

void lazy_load_dr(struct vcpu *vcpu)
{
    write_dr0(vcpu->dr[0]);
    write_dr1(vcpu->dr[1]);
    write_dr2(vcpu->dr[2]);
    write_dr3(vcpu->dr[3]);
    vcpu->dr_loaded = true;
    virt->offer(vcpu); /* the vendor looks at dr_loaded there, too */
}

void lazy_store_dr(struct vcpu *vcpu)
{
    vcpu->dr[0] = read_dr0();
    vcpu->dr[1] = read_dr1();
    vcpu->dr[2] = read_dr2();
    vcpu->dr[3] = read_dr3();
}

void lazy_load(struct cpu *cpu, struct vcpu *vcpu)
{
    if (unlikely(vcpu->cpu != cpu)) {
        vcpu->cpu = cpu;
        if (vcpu->stat[STAT_LAST_CPU] != cpu->id)
            vcpu->flush = true; /* what the TLB has here is older */
        vcpu->stat[STAT_LAST_CPU] = cpu->id;
    }
    if (unlikely(vcpu->tsc_aux != 0 && !vcpu->aux_loaded)) {
        wrmsr(MSR_TSC_AUX, vcpu->tsc_aux);
        vcpu->aux_loaded = true;
    }
    if (unlikely(cpu->fpu_owner != &vcpu->fpu)) {
        fpu_load(&vcpu->fpu);
        fpu_protect(); /* the guest does not see the host's TS; ring 3 does */
    }
}

void lazy_unload_rest(struct vcpu *vcpu)
{
    if (vcpu->dr_loaded) {
        lazy_store_dr(vcpu);
        write_dr0(0);
        write_dr1(0);
        write_dr2(0);
        write_dr3(0);
        vcpu->dr_loaded = false;
        virt->offer(vcpu);
    }
    if (vcpu->aux_loaded) {
        wrmsr(MSR_TSC_AUX, 0);
        vcpu->aux_loaded = false;
    }
}

void lazy_release(struct cpu *cpu, struct vcpu *vcpu)
{
    /* Only this CPU itself sets and clears what is equal here. */
    if (__atomic_load_n(&vcpu->cpu, __ATOMIC_RELAXED) != cpu)
        return;
    lazy_unload(vcpu);
    if (cpu->fpu_owner == &vcpu->fpu)
        fpu_release();
    virt->put(vcpu);
    /* Partner: claim(). */
    __atomic_store_n(&vcpu->cpu, NULL, __ATOMIC_RELEASE);
}
