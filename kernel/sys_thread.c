/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on threads and scheduling contexts. */
#include "kernel/syscall.h"

#include "abi/vcpu.h"
#include "arch/x86_64/platform.h"
#include "kernel/notif.h"
#include "kernel/portal.h"
#include "kernel/sys_thread.h"
#include "lib/string.h"

#define RFLAGS_IF    0x200u
#define RFLAGS_FIXED 0x002u

struct thread *thread_new(struct pd *payer, struct pd *pd, uint64_t utcb_va, int64_t *status)
{
    struct thread *thread = obj_create(payer, OBJ_THREAD, sizeof(*thread), status);
    if (!thread)
        return NULL;
    thread->pd = pd;
    obj_ref(&pd->obj);
    list_init(&thread->in_pd);
    list_init(&thread->waiting);
    timer_init(&thread->timeout, notif_timeout);
    thread->utcb_va = utcb_va;
    thread->utcb = pd_pages(pd, 0, status);
    if (thread->utcb) {
        thread->utcb->self = utcb_va;
        *status = space_map_kernel(&pd->space, utcb_va, kva_to_hpa(thread->utcb), PAGE_SIZE);
        if (*status == OK) {
            list_add_tail(&pd->threads, &thread->in_pd);
            return thread;
        }
    }
    thread->obj.dead = true;
    obj_unref(&thread->obj);
    return NULL;
}

/* Whoever watches over a program is told of the faults of all its threads: a program that has lost
 * one cannot be relied on to say so itself. */
static void inherit_supervisor(struct thread *thread, struct thread *creator)
{
    spin_lock(&creator->lock);
    thread->fault_notif = creator->fault_notif;
    thread->fault_bits = creator->fault_bits;
    if (thread->fault_notif)
        obj_ref(&thread->fault_notif->obj);
    spin_unlock(&creator->lock);
}

int64_t sys_thread_create(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct pd, pd, r->rsi, OBJ_PD, RIGHT_CONTROL);
    if (pd->ended)
        return ERR_GONE;
    int64_t status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct thread *thread = thread_new(self->pd, pd, r->rdx, &status);
    if (!thread)
        return status;
    if (pd == self->pd)
        inherit_supervisor(thread, self);
    return cap_insert(self->pd, r->rdi, &thread->obj, RIGHT_ALL, 0, NULL);
}

void thread_set_entry(struct thread *thread, uint64_t rip, uint64_t rsp, uint64_t arg)
{
    thread->regs = (struct regs){
        .rdi = arg,
        .rip = rip,
        .rsp = rsp,
        .cs = SEL_UCODE,
        .ss = SEL_UDATA,
        .rflags = RFLAGS_IF | RFLAGS_FIXED,
    };
}

int64_t sys_thread_start(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct thread, thread, r->rdi, OBJ_THREAD, RIGHT_CONTROL);
    if (thread->state != THREAD_NEW)
        return ERR_STATE;
    if (r->rsi >= USER_TOP || r->rdx >= USER_TOP)
        return ERR_ARG;
    thread_set_entry(thread, r->rsi, r->rdx, r->r10);
    spin_lock(&thread->lock);
    thread->state = THREAD_READY;
    if (thread->sc)
        sched_ready(thread->sc);
    spin_unlock(&thread->lock);
    return OK;
}

int64_t sys_thread_suspend(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct thread, thread, r->rdi, OBJ_THREAD, RIGHT_CONTROL);
    /* First of all, so that it neither runs nor waits anew; then out of where it waits. */
    spin_lock(&thread->lock);
    bool waits = thread->state == THREAD_BLOCKED;
    bool stops = waits || thread->state == THREAD_READY;
    thread->suspend |= stops;
    spin_unlock(&thread->lock);
    if (!stops)
        return ERR_STATE;
    if (waits) {
        thread_cancel_wait(thread, ERR_GONE);
        spin_lock(&thread->lock);
        if (thread->state == THREAD_BLOCKED && list_empty(&thread->waiting)) {
            thread->state = THREAD_SUSPENDED;
            thread->suspend = false;
        }
        spin_unlock(&thread->lock);
    }
    if (thread->on_cpu)
        cpu_reschedule(cpus[thread->cpu]);
    return OK;
}

int64_t sys_thread_resume(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct thread, thread, r->rdi, OBJ_THREAD, RIGHT_CONTROL);
    spin_lock(&thread->lock);
    int64_t status = OK;
    if (thread->state == THREAD_SUSPENDED || thread->state == THREAD_FAULTED) {
        thread->state = THREAD_READY;
        thread->wait = WAIT_NONE;
        if (thread->sc)
            sched_ready(thread->sc);
    } else if (!thread->suspend || thread->state == THREAD_DEAD) {
        status = ERR_STATE;
    }
    thread->suspend = false; /* asked, but it has not stopped yet: it just goes on */
    spin_unlock(&thread->lock);
    return status;
}

int64_t sys_thread_info(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct thread, thread, r->rdi, OBJ_THREAD, RIGHT_CONTROL);
    thread_describe(thread, (struct thread_info *)self->utcb->mr);
    return OK;
}

int64_t sys_thread_on_fault(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct thread, thread, r->rdi, OBJ_THREAD, RIGHT_CONTROL);
    ARG_NOTIF(notif, r->rsi, r->rdx, RIGHT_WRITE);
    if (thread->obj.dead)
        return ERR_GONE;
    obj_ref(&notif->obj);
    struct notif *old = thread->fault_notif;
    spin_lock(&thread->lock);
    thread->fault_notif = notif;
    thread->fault_bits = notif_bits;
    spin_unlock(&thread->lock);
    if (old)
        obj_unref(&old->obj);
    return OK;
}

int64_t sys_thread_bind(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct thread, thread, r->rdi, OBJ_THREAD, RIGHT_CONTROL);
    ARG_OBJECT(struct notif, notif, r->rsi, OBJ_NOTIF, RIGHT_READ);
    if (thread->obj.dead || notif->obj.dead)
        return ERR_GONE;
    if (thread->bound || notif->bound)
        return ERR_EXISTS;
    obj_ref(&notif->obj);
    spin_lock(&notif->lock);
    notif->bound = thread;
    spin_unlock(&notif->lock);
    thread->bound = notif;
    /* Signalled before: as if it were now. */
    if (notif_pending(thread)) {
        thread_kick(thread, VEC_RESCHED);
        portal_notify(thread, notif);
    }
    return OK;
}

int64_t sys_thread_yield(struct thread *self, struct regs *r)
{
    (void)self, (void)r;
    cpu_self()->resched = RESCHED_YIELD;
    return OK;
}

int64_t sys_thread_exit(struct thread *self, struct regs *r)
{
    (void)r;
    /* The owner learns of it as of a fault; vector 256 marks an exit. */
    thread_fault(self, THREAD_EXIT_VECTOR, 0, 0);
    return OK;
}

static int64_t sc_arguments(uint32_t cpu, uint32_t priority, uint64_t budget, uint64_t period)
{
    if (cpu >= MIN(cpu_count, SCHED_CPUS) || priority >= SC_PRIORITIES)
        return ERR_ARG;
    /* Below 100 us the timer's own cost shows; above 10 s the sums could overflow on fast counters.
     */
    if (budget && (budget < 100 || period < budget || period > 10000000))
        return ERR_ARG;
    return OK;
}

int64_t sys_sc_create(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rsi, OBJ_MACHINE, RIGHT_CONTROL);
    int64_t status = sc_arguments((uint32_t)r->rdx, (uint32_t)r->r10, r->r8, r->r9);
    if (status == OK)
        status = cap_reserve(self->pd, r->rdi);
    if (status != OK)
        return status;
    struct sc_object *sc =
        sc_new(self->pd, (uint32_t)r->rdx, (uint32_t)r->r10, r->r8, r->r9, &status);
    return sc ? cap_insert(self->pd, r->rdi, &sc->obj, RIGHT_ALL, 0, NULL) : status;
}

struct sc_object *sc_new(struct pd *payer, uint32_t cpu, uint32_t priority, uint64_t budget_us,
                         uint64_t period_us, int64_t *status)
{
    struct sc_object *sc = obj_create(payer, OBJ_SC, sizeof(*sc), status);
    if (sc) {
        struct sc_config config =
            sc_fixed(cpu, priority, tsc_from_us(budget_us), tsc_from_us(period_us));
        sc_init(&sc->sc, &config);
    }
    return sc;
}

void sc_bind(struct sc_object *sc, struct thread *thread)
{
    obj_ref(&sc->obj);
    spin_lock(&thread->lock);
    sc->owner = thread;
    sc->sc.thread = thread;
    thread->own_sc = &sc->sc;
    if (!thread->sc)
        thread->sc = &sc->sc;
    if (thread->state == THREAD_READY)
        sched_ready(thread->sc);
    spin_unlock(&thread->lock);
}

int64_t sys_sc_bind(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct sc_object, sc, r->rdi, OBJ_SC, RIGHT_WRITE);
    ARG_OBJECT(struct thread, thread, r->rsi, OBJ_THREAD, RIGHT_CONTROL);
    if (thread->obj.dead)
        return ERR_GONE;
    if (sc->owner || sc->sc.thread || thread->own_sc)
        return ERR_EXISTS;
    sc_bind(sc, thread);
    return OK;
}

int64_t sys_sc_payer(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct sc_object, sc, r->rdi, OBJ_SC, RIGHT_CONTROL);
    ARG_OBJECT(struct sc_object, payer, r->rsi, OBJ_SC, RIGHT_CONTROL);
    if (sc->sc.payer)
        return ERR_EXISTS;
    if (sc->owner)
        return ERR_STATE;
    if (sc != payer)
        obj_ref(&payer->obj);
    sc->sc.payer = &payer->sc;
    sc->sc.pays = r->rdx != 0;
    return OK;
}

int64_t sys_sc_bill(struct thread *self, struct regs *r)
{
    ARG_NOTIF(notif, r->rdi, 0, RIGHT_WRITE);
    (void)notif_bits;
    spin_lock(
        &notif->lock); /* the thread stays as long as it is bound, its context as long as it */
    const struct thread *bound = notif->bound;
    struct sc *whom = bound ? bound->own_sc : NULL;
    if (self->own_sc && self->own_sc == self->sc)
        sched_bill(self->own_sc, whom);
    spin_unlock(&notif->lock);
    return OK;
}

int64_t sys_sc_config(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct sc_object, sc, r->rdi, OBJ_SC, RIGHT_CONTROL);
    int64_t status = sc_arguments((uint32_t)r->rsi, (uint32_t)r->rdx, r->r10, r->r8);
    if (status == OK) {
        struct sc_config config =
            sc_fixed((uint32_t)r->rsi, (uint32_t)r->rdx, tsc_from_us(r->r10), tsc_from_us(r->r8));
        uint32_t promised;
        (void)sc_configure(&sc->sc, &config, &promised); /* only reservations may fail */
    }
    return status;
}

static bool budget_ok(const struct sc_params *p)
{
    if (!p->budget_us)
        return p->class != SC_RESERVED && !p->period_us;
    return p->budget_us >= SC_BUDGET_MIN_US && p->budget_us <= p->period_us &&
           p->period_us <= SC_PERIOD_MAX_US;
}

/* false: it contradicts itself. */
static bool decode_params(const struct sc_params *p, struct sc_config *config)
{
    bool shared = p->class == SC_SHARED, fixed = p->class == SC_FIXED;
    *config = (struct sc_config){.class = (uint8_t)p->class,
                                 .priority = (uint8_t)p->priority,
                                 .weight = p->weight,
                                 .budget = tsc_from_us(p->budget_us),
                                 .period = tsc_from_us(p->period_us)};
    memcpy(config->affinity.word, p->affinity, sizeof(p->affinity));
    struct cpuset *set = &config->affinity;
    uint32_t last = MIN(cpu_count, SC_AFFINITY_CPUS) - 1;
    set->word[last / 64] &= ~0ull >> (63 - last % 64);
    memset(&set->word[last / 64 + 1], 0, (CPUSET_WORDS - 1 - last / 64) * sizeof(set->word[0]));
    return p->class <= SC_FIXED && !p->flags && budget_ok(p) &&
           cpuset_next_both(set, set, 0, cpu_count) < SCHED_CPUS &&
           p->priority < (fixed ? SC_PRIORITIES : 1) && p->weight >= (shared ? SC_WEIGHT_MIN : 0) &&
           p->weight <= (shared ? SC_WEIGHT_MAX : 0);
}

int64_t sys_sc_params(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct sc_object, sc, r->rdi, OBJ_SC, RIGHT_CONTROL);
    /* Other threads write to the page, too: what is checked is what is used. */
    struct sc_params params = *(const volatile struct sc_params *)self->utcb->mr;
    struct sc_config config;
    if (!decode_params(&params, &config))
        return ERR_ARG;
    uint32_t promised;
    bool fits = sc_configure(&sc->sc, &config, &promised);
    r->rdi = promised;
    return fits ? OK : ERR_ADMISSION;
}

int64_t sys_sc_info(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct sc_object, sc, r->rdi, OBJ_SC, RIGHT_READ);
    const struct sc *s = &sc->sc;
    const struct sc_config *config = s->pending ? &s->next : &s->is;
    struct sc_info *info = (struct sc_info *)self->utcb->mr;
    *info = (struct sc_info){
        .priority = config->priority,
        .budget_us = tsc_to_us(config->budget),
        .period_us = tsc_to_us(config->period),
        .class = config->class,
        .weight = config->weight,
        .id = s->id,
    };
    sc_account(s, info);
    memcpy(info->affinity, config->affinity.word, sizeof(info->affinity));
    return OK;
}
