/* SPDX-License-Identifier: BSD-2-Clause */
#include "virt/guest.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/insn.h"
#include "kernel/machine.h"
#include "virt/vcpu.h"

static struct vcpu *vcpu_at(const struct guest *guest, uint32_t apic_id)
{
    return __atomic_load_n(&guest->tables->vcpu[apic_id], __ATOMIC_ACQUIRE);
}

/* Fixed and lowest priority go to the IRR, the rest are signals. */
static void deliver(struct vcpu *vcpu, const struct apic_message *m)
{
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (m->vector < 16 || !vlapic_enabled(&vcpu->lapic))
            return;
        vlapic_post(&vcpu->lapic, m->vector, m->level);
        if (m->level) /* the CPU must be told which vectors' ends to report */
            vcpu_request(vcpu, REQ_IRQ);
        else
            vcpu_post(vcpu);
        return;
    case APIC_NMI:
        vcpu_send_nmi(vcpu);
        return;
    case APIC_INIT:
        vcpu_request(vcpu, REQ_INIT);
        return;
    case APIC_SIPI:
        __atomic_store_n((uint32_t *)&vcpu->sipi, m->vector, __ATOMIC_RELEASE);
        vcpu_request(vcpu, REQ_SIPI);
        return;
    default: /* SMI, ExtINT: nobody takes them */
        return;
    }
}

/* The one with the lowest task priority; equals take turns. */
static struct vcpu *arbitrate(struct guest *guest, const struct apic_message *m)
{
    uint32_t limit = __atomic_load_n(&guest->apic_limit, __ATOMIC_ACQUIRE);
    uint32_t start = __atomic_fetch_add((uint32_t *)&guest->turn, 1, __ATOMIC_RELAXED);
    struct vcpu *best = NULL;
    for (uint32_t i = 0; i < limit; i++) {
        struct vcpu *vcpu = vcpu_at(guest, (start + i) % limit);
        if (!vcpu || !vlapic_enabled(&vcpu->lapic) || !vlapic_matches(&vcpu->lapic, m))
            continue;
        if (!best || vcpu->lapic.tpr >> 4 < best->lapic.tpr >> 4)
            best = vcpu;
    }
    return best;
}

uint32_t guest_deliver(struct guest *guest, const struct apic_message *m, const struct vcpu *except)
{
    if (m->mode == APIC_LOWEST) {
        struct vcpu *vcpu = arbitrate(guest, m);
        if (vcpu)
            deliver(vcpu, m);
        return vcpu != NULL;
    }
    uint32_t limit = __atomic_load_n(&guest->apic_limit, __ATOMIC_ACQUIRE), count = 0;
    /* One physical destination that is somebody's number: no need to look around. A guest in xAPIC
     * mode may have renumbered itself, which is why the match is asked all the same. */
    if (!m->logical && m->dest < limit) {
        struct vcpu *vcpu = vcpu_at(guest, m->dest);
        if (vcpu && vcpu != except && vlapic_matches(&vcpu->lapic, m)) {
            deliver(vcpu, m);
            return 1;
        }
    }
    for (uint32_t i = 0; i < limit; i++) {
        struct vcpu *vcpu = vcpu_at(guest, i);
        if (!vcpu || vcpu == except || !vlapic_matches(&vcpu->lapic, m))
            continue;
        deliver(vcpu, m);
        count++;
    }
    return count;
}

/* (Intel SDM vol. 3, "Message Signalled Interrupts".) Address bits 11:5 as destination bits 14:8
 * are KVM's extension for more than 255 CPUs; APIC ids here stay below 256. */
bool msi_decode(uint64_t address, uint64_t data, struct apic_message *m)
{
    if (address >> 20 != 0xfee)
        return false;
    *m = (struct apic_message){.dest = (uint32_t)(address >> 12) & 0xff,
                               .logical = (address & 4) != 0,
                               .vector = (uint8_t)data,
                               .mode = (data >> 8) & 7,
                               .level = (data & 0x8000) != 0};
    return m->mode != APIC_SMI && m->mode != APIC_RESERVED3 && m->mode != APIC_SIPI;
}

/* Waits until no CPU is inside this guest with what was true before the call. */
static void wait_outside(const struct guest *guest)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];
        const struct vcpu *vcpu = __atomic_load_n((struct vcpu **)&cpu->in_guest, __ATOMIC_SEQ_CST);
        /* Only the address is compared: the vCPU may be any, of any guest. */
        bool ours = false;
        for (uint32_t id = 0; vcpu && id < guest->apic_limit && !ours; id++)
            ours = guest->tables->vcpu[id] == vcpu;
        if (!ours || cpu == cpu_self())
            continue;
        apic_ipi(cpu->id, VEC_RESCHED);
        while (__atomic_load_n((struct vcpu **)&cpu->in_guest, __ATOMIC_ACQUIRE) == vcpu) {
            if (!(__atomic_load_n((uint32_t *)&vcpu->requests, __ATOMIC_RELAXED) &
                  (REQ_FLUSH | REQ_ABORT)))
                break; /* it was out, has seen the request, and is in again */
            cpu_pause();
            shootdown_poll();
        }
    }
}

/* Threads of waiting vCPUs, and what they run on, are gone only when all CPUs have left the section
 * they are in now. */
static bool yield_to(const struct vcpu *to)
{
    struct thread *thread = __atomic_load_n((struct thread *const *)&to->thread, __ATOMIC_ACQUIRE);
    struct sc *sc = thread ? __atomic_load_n(&thread->own_sc, __ATOMIC_RELAXED) : NULL;
    return sc && sched_yield_to(sc);
}

void vcpu_yield(struct vcpu *vcpu, uint32_t apic_id)
{
    const struct guest *guest = vcpu->guest;
    bool any = apic_id >= GUEST_VCPUS;
    uint32_t id = any ? vcpu->yield_turn : apic_id, tries = any ? guest->apic_limit : 1;
    for (; tries; tries--, id++) {
        struct vcpu *to = __atomic_load_n(&guest->tables->vcpu[id % GUEST_VCPUS], __ATOMIC_ACQUIRE);
        if (any && id + 1 >= guest->apic_limit)
            id = UINT32_MAX; /* the next is 0 */
        if (to && to != vcpu && yield_to(to))
            break;
    }
    if (any)
        vcpu->yield_turn = id + 1;
    __atomic_store_n((uint32_t *)&cpu_self()->resched, RESCHED_YIELD, __ATOMIC_RELAXED);
}

static void request_all(struct guest *guest, uint32_t bits)
{
    for (uint32_t id = 0; id < guest->apic_limit; id++) {
        struct vcpu *vcpu = guest->tables->vcpu[id];
        /* seq_cst partner: step(). No thread needs to wake for a flush. */
        if (vcpu)
            __atomic_fetch_or((uint32_t *)&vcpu->requests, bits, __ATOMIC_SEQ_CST);
    }
}

void guest_flush(struct space *space, uint64_t address, uint64_t size)
{
    struct guest *guest = container_of(space, struct guest, space);
    if (!guest->tables)
        return;
    request_all(guest, REQ_FLUSH);
    wait_outside(guest);
    for (uint32_t id = 0; id < guest->apic_limit; id++)
        if (guest->tables->vcpu[id])
            pv_unmap(guest->tables->vcpu[id], address, size);
}

struct space *guest_space(struct obj *obj)
{
    return &container_of(obj, struct guest, obj)->space;
}

void guest_destroy(struct obj *obj)
{
    struct guest *guest = container_of(obj, struct guest, obj);
    for (uint32_t id = 0; id < guest->apic_limit; id++) {
        struct vcpu *vcpu = guest->tables->vcpu[id];
        if (!vcpu)
            continue;
        vcpu->abort_status = ERR_GONE;
        vcpu_request(vcpu, REQ_ABORT);
    }
    wait_outside(guest);
    for (uint32_t id = 0; id < guest->apic_limit; id++)
        if (guest->tables->vcpu[id])
            pv_unmap(guest->tables->vcpu[id], 0, guest->space.limit);
    space_destroy(&guest->space);
}

void guest_free(struct obj *obj)
{
    struct guest *guest = container_of(obj, struct guest, obj);
    if (!guest->tables)
        return;
    if (guest->space.ptab.root) /* it was never finished, so never destroyed */
        space_destroy(&guest->space);
    pd_credit(obj->payer, guest->tables->doorbells.count * doorbell_cost());
    doorbell_free_all(&guest->tables->doorbells);
    pd_free_pages(obj->payer, guest->tables, 1);
    guest->tables = NULL;
}
