/* SPDX-License-Identifier: BSD-2-Clause */
/* The exit loop. Two states: outside (the host's state is loaded, interrupts can be let in, the
 * page and the vendor's memory are current) and inside (the guest's system registers are in the
 * CPU, host interrupts wait). Exits that the kernel handles stay inside. */
#include "virt/vcpu.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "kernel/notif.h"
#include "kernel/quiesce.h"
#include "virt/event.h"
#include "virt/guest.h"
#include "virt/init.h"
#include "virt/lazy.h"
#include "virt/vlapic_timer.h"

/* The owner may change meanwhile: the next one looks at the requests itself, and the last one,
 * which this section keeps in memory, is woken in vain at worst. seq_cst partner: vcpu_claim(). */
static void kick(struct vcpu *vcpu, uint8_t vector)
{
    struct thread *thread = __atomic_load_n((struct thread **)&vcpu->thread, __ATOMIC_SEQ_CST);
    if (thread && __atomic_load_n(&thread->vcpu, __ATOMIC_RELAXED) == vcpu)
        thread_kick(thread, vector);
}

/* REQ_KICK while the owner is not in vcpu_run stays set and ends the next one. */
void vcpu_request(struct vcpu *vcpu, uint32_t bits)
{
    /* seq_cst partner: step() sets in_guest, then reads requests; thread_sleep reads them under the
     * thread's lock. */
    uint32_t before = __atomic_fetch_or((uint32_t *)&vcpu->requests, bits, __ATOMIC_SEQ_CST);
    if ((before & bits) != bits)
        kick(vcpu, VEC_RESCHED);
}

/* The request stands while the guest runs on: should it have been left meanwhile, its next entry
 * sees what was posted. Notification first: where it is set, somebody is about to request, and to
 * kick. seq_cst partner: vlapic_delegate(). */
void vcpu_post(struct vcpu *vcpu)
{
    if (!vlapic_posts(&vcpu->lapic)) {
        vcpu_request(vcpu, REQ_IRQ);
        return;
    }
    uint32_t before = __atomic_fetch_or(&vcpu->lapic.irr[POSTED_NOTIFICATION], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_or((uint32_t *)&vcpu->requests, REQ_POSTED, __ATOMIC_SEQ_CST);
    if (!(before & 1))
        kick(vcpu, VEC_POSTED);
}

enum verdict vcpu_to_vmm(struct vcpu *vcpu, enum vcpu_exit reason, uint32_t groups)
{
    struct vcpu_page *page = vcpu->page;
    page->reason = reason;
    page->valid = groups | VCPU_GROUP_CORE;
    page->insn_len = vcpu->x.insn_len;
    page->insn_count = vcpu->x.insn_count;
    for (uint32_t i = 0; i < vcpu->x.insn_count && i < sizeof(page->insn); i++)
        page->insn[i] = vcpu->x.insn[i];
    vcpu->stat[STAT_TO_VMM]++;
    return TO_VMM;
}

/* One is taken, one more is latched; while the handler of one runs there is room for the latter. */
static void collect_nmis(struct vcpu *vcpu)
{
    uint32_t come = __atomic_exchange_n((uint32_t *)&vcpu->nmis, 0, __ATOMIC_RELAXED);
    uint32_t room = vcpu->block & VCPU_BLOCK_NMI ? 1 : 2;
    vcpu->nmi_pending = (uint8_t)MIN(vcpu->nmi_pending + MIN(come, room), room);
}

/* Requests that are served with the guest's state loaded. */
static void serve_inside(struct vcpu *vcpu)
{
    uint32_t taken = __atomic_fetch_and((uint32_t *)&vcpu->requests, ~REQ_INSIDE, __ATOMIC_SEQ_CST);
    if (taken & REQ_FLUSH)
        vcpu->flush = true;
    if (taken & REQ_NMI)
        collect_nmis(vcpu);
    if (taken & REQ_TIMER)
        vlapic_timer_expired(vcpu);
    if (taken & (REQ_IRQ | REQ_POSTED | REQ_NMI | REQ_TIMER))
        event_update(vcpu);
}

/* One entry and the exit that ends it. */
static enum verdict step(struct cpu *cpu, struct thread *thread, struct vcpu *vcpu)
{
    /* Set first, then look: whoever asks for something later sees in_guest and sends an IPI, which
     * stays pending while host interrupts are held, and ends the guest at once. seq_cst partners:
     * vcpu_request(), guest_flush(), cpu_reschedule(). */
    __atomic_store_n((struct vcpu **)&cpu->in_guest, vcpu, __ATOMIC_SEQ_CST);
    uint32_t asked = __atomic_load_n((uint32_t *)&vcpu->requests, __ATOMIC_RELAXED);
    if (unlikely((asked | __atomic_load_n((uint32_t *)&cpu->resched, __ATOMIC_RELAXED)) != 0 ||
                 notif_pending(thread))) {
        __atomic_store_n((struct vcpu **)&cpu->in_guest, NULL, __ATOMIC_RELEASE);
        if ((asked & REQ_OUTSIDE) != 0 || (asked & REQ_INSIDE) == 0)
            return HOST;
        serve_inside(vcpu);
        return RUN;
    }
    enum vexit exit = virt->run(vcpu);
    __atomic_store_n((struct vcpu **)&cpu->in_guest, NULL, __ATOMIC_RELEASE);
    vcpu->stat[STAT_EXITS]++;
    if (unlikely(vcpu->irq.state == IRQ_TAKEN))
        event_taken(vcpu);
    return exit_handlers[exit](vcpu);
}

/* vcpu_run ends: what the thread finds when it is back in ring 3. */
static enum vcpu_outcome finish(struct thread *thread, struct vcpu *vcpu, int64_t status,
                                uint64_t bits)
{
    thread->regs.rax = (uint64_t)status;
    thread->regs.rdi = bits;
    thread->vcpu = NULL;
    vcpu_disclaim(vcpu);
    return VCPU_TO_USER;
}

/* Registers of group CORE and what else the exit promises go to the page. Outside. */
static void publish(struct vcpu *vcpu)
{
    uint32_t groups = vcpu->page->valid & (VCPU_GROUP_ALL | VCPU_GROUP_CODE);
    vcpu_save_core(vcpu);
    if (groups & ~VCPU_GROUP_CORE)
        vcpu_save_groups(vcpu, groups & ~VCPU_GROUP_CORE);
}

static enum vcpu_outcome end_run(struct thread *thread, struct vcpu *vcpu, int64_t status,
                                 uint64_t bits)
{
    if (status >= 0)
        publish(vcpu);
    lazy_unload(vcpu);
    return finish(thread, vcpu, status, bits);
}

static enum vcpu_outcome interrupted(struct thread *thread, struct vcpu *vcpu, int64_t status,
                                     uint64_t bits)
{
    vcpu->x.insn_len = vcpu->x.insn_count = 0;
    vcpu_to_vmm(vcpu, VCPU_EXIT_NONE, VCPU_GROUP_CORE);
    return end_run(thread, vcpu, status, bits);
}

static bool clear_request(struct vcpu *vcpu, uint32_t bit)
{
    return (__atomic_fetch_and((uint32_t *)&vcpu->requests, ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

/* The xAPIC's EOI register was written through vcpu_lapic. */
static enum verdict report_eoi(struct vcpu *vcpu)
{
    clear_request(vcpu, REQ_EOI);
    vcpu->x.insn_len = vcpu->x.insn_count = 0;
    vcpu->page->exit.eoi.vector = vcpu->eoi_vector;
    return vcpu_to_vmm(vcpu, VCPU_EXIT_EOI, VCPU_GROUP_CORE);
}

/* INIT and SIPI. TO_VMM: the boot processor took an INIT. */
static enum verdict serve_startup(struct vcpu *vcpu, uint32_t asked)
{
    if (asked & REQ_INIT) {
        clear_request(vcpu, REQ_INIT);
        if (vcpu->lapic.base & APIC_BASE_BSP)
            return vcpu_to_vmm(vcpu, VCPU_EXIT_RESET, VCPU_GROUP_ALL);
        vcpu_reset(vcpu, true);
        vcpu->run_state = VCPU_RUN_WAIT_SIPI;
    }
    if (clear_request(vcpu, REQ_SIPI) && vcpu->run_state == VCPU_RUN_WAIT_SIPI) {
        vcpu_startup(vcpu, (uint8_t)__atomic_load_n((uint32_t *)&vcpu->sipi, __ATOMIC_ACQUIRE));
        vcpu->run_state = VCPU_RUN_RUNNABLE;
    }
    return RUN;
}

/* The vCPU has nothing to run: wait for a request. RUN: one came meanwhile. */
static enum verdict wait(struct thread *thread, struct vcpu *vcpu)
{
    if (vcpu->run_state == VCPU_RUN_HALTED) {
        serve_inside(vcpu);
        if (event_wakes(vcpu)) {
            vcpu->run_state = VCPU_RUN_RUNNABLE;
            return RUN;
        }
        if (!(virt->get(vcpu, VREG_RFLAGS) & RFLAGS_IF) && !vcpu->hlt_reported) {
            vcpu->hlt_reported = true;
            vcpu->x.insn_len = vcpu->x.insn_count = 0;
            return vcpu_to_vmm(vcpu, VCPU_EXIT_HLT_IF0, VCPU_GROUP_CORE);
        }
    } else {
        /* In wait-for-SIPI interrupts stay pending; only the request bits are consumed. */
        serve_inside(vcpu);
    }
    vlapic_timer_sleep(&vcpu->lapic);
    if (!thread_sleep(thread, WAIT_VCPU, &vcpu->requests))
        return RUN;
    /* A waker that looked at the thread's state just before it was asleep did nothing: look again.
     * Partners: vcpu_request(), notif_signal(). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n((uint32_t *)&vcpu->requests, __ATOMIC_RELAXED) || notif_pending(thread))
        (void)thread_wake(thread);
    return DONE;
}

/* Everything that needs the host's state: RUN: enter. DONE: *outcome. */
static enum verdict outside(struct cpu *cpu, struct thread *thread, struct vcpu *vcpu,
                            enum vcpu_outcome *outcome)
{
    for (;;) {
        uint32_t asked = __atomic_load_n((uint32_t *)&vcpu->requests, __ATOMIC_SEQ_CST);
        bool resched = __atomic_load_n((uint32_t *)&cpu->resched, __ATOMIC_RELAXED) != 0;
        if (likely(!(asked & REQ_OUTSIDE) && !resched && !notif_pending(thread) &&
                   vcpu->run_state == VCPU_RUN_RUNNABLE))
            return RUN;
        if (unlikely(asked & REQ_ABORT)) {
            if (!vcpu->guest->obj.dead && !vcpu->obj.dead)
                clear_request(vcpu, REQ_ABORT);
            *outcome = end_run(thread, vcpu, vcpu->abort_status, 0);
            return DONE;
        }
        if (unlikely(notif_pending(thread))) {
            *outcome = interrupted(thread, vcpu, NOTIFIED, notif_take(thread->bound));
            return DONE;
        }
        if (unlikely((asked & REQ_KICK) != 0 && clear_request(vcpu, REQ_KICK))) {
            *outcome = interrupted(thread, vcpu, OK, 0);
            return DONE;
        }
        if (resched) {
            pv_preempted(vcpu);
            *outcome = VCPU_RESCHED;
            return DONE;
        }
        enum verdict verdict = RUN;
        if (unlikely(asked & REQ_EOI))
            verdict = report_eoi(vcpu);
        if (verdict == RUN && unlikely(asked & (REQ_INIT | REQ_SIPI)))
            verdict = serve_startup(vcpu, asked);
        if (verdict == RUN && likely(vcpu->run_state == VCPU_RUN_RUNNABLE))
            return RUN;
        if (verdict == RUN)
            verdict = wait(thread, vcpu);
        if (verdict == RUN)
            continue;
        *outcome = verdict == TO_VMM ? end_run(thread, vcpu, OK, 0) : VCPU_SLEEPS;
        return DONE;
    }
}

enum vcpu_outcome vcpu_resume(struct thread *thread, struct vcpu *vcpu)
{
    struct cpu *cpu = cpu_self();
    enum vcpu_outcome outcome = VCPU_TO_USER;
    if (unlikely(vcpu->paused))
        pv_steal(vcpu);
    while (outside(cpu, thread, vcpu, &outcome) == RUN) {
        lazy_load(cpu, vcpu);
        if (unlikely(vcpu->lapic.sleeps))
            vlapic_timer_wake(&vcpu->lapic);
        uint64_t start = rdtsc();
        virt->enter(vcpu);
        enum verdict verdict;
        do {
            verdict = step(cpu, thread, vcpu);
        } while (verdict == RUN);
        virt->leave(vcpu);
        vcpu->stat[STAT_RUN_TSC] += rdtsc() - start;
        if (verdict == TO_VMM)
            return end_run(thread, vcpu, OK, 0);
        section_pass(cpu);
    }
    return outcome;
}

void vcpu_put(struct thread *thread, struct vcpu *vcpu)
{
    lazy_release(cpu_self(), vcpu);
    if (!thread->vcpu)
        vcpu_forget(thread);
}

void vcpu_forget(struct thread *thread)
{
    struct vcpu *vcpu = thread->ran;
    thread->ran = NULL;
    if (vcpu)
        obj_unref(&vcpu->obj);
}

/* The thread may be running the loop on another CPU: it finishes there. A thread that is on no CPU
 * is finished here, so that it may die at once. */
void vcpu_abort(struct thread *thread, struct vcpu *vcpu, int64_t status)
{
    vcpu->abort_status = status;
    if (__atomic_load_n((bool *)&thread->on_cpu, __ATOMIC_ACQUIRE)) {
        vcpu_request(vcpu, REQ_ABORT);
        return;
    }
    (void)finish(thread, vcpu, status, 0);
    vcpu_forget(thread);
}
