/* SPDX-License-Identifier: BSD-2-Clause */
#include "virt/pv.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "kernel/mapping.h"
#include "kernel/quiesce.h"
#include "kernel/slab.h"
#include "virt/guest.h"
#include "virt/vcpu.h"

#define HC_POLL_IRQ    1u
#define HC_KICK_CPU    5u
#define HC_SEND_IPI    10u
#define HC_SCHED_YIELD 11u
#define KVM_EPERM      1u
#define KVM_EINVAL     22u
#define KVM_ENOSYS     1000u

#define PV_ENABLE 1u

/* A page may hold the structures of several vCPUs: mapped once, counted. Under the object lock. */
struct foreign {
    struct foreign *next;
    uint64_t hpa;
    uint32_t users;
};
static struct foreign *foreigners;

static bool foreign_get(uint64_t page)
{
    for (struct foreign *f = foreigners; f; f = f->next) {
        if (f->hpa == page) {
            f->users++;
            return true;
        }
    }
    struct foreign *f = slab_alloc(sizeof(*f));
    if (!f)
        return false;
    if (!kmap_foreign(hpa(page))) {
        slab_free(f, sizeof(*f));
        return false;
    }
    *f = (struct foreign){.next = foreigners, .hpa = page, .users = 1};
    foreigners = f;
    return true;
}

static void foreign_put(uint64_t page)
{
    for (struct foreign **link = &foreigners; *link; link = &(*link)->next) {
        struct foreign *f = *link;
        if (f->hpa != page)
            continue;
        if (--f->users == 0) {
            *link = f->next;
            kunmap_foreign(hpa(page));
            slab_free(f, sizeof(*f));
        }
        return;
    }
}

/* The owner's CPU writes there without a lock, inside a section; others take the page away only by
 * clearing the word, and then waiting for the section to end. */
static uint32_t *word_of(const struct pv_page *p)
{
    return __atomic_load_n(&p->word, __ATOMIC_RELAXED);
}

static void page_drop(struct pv_page *p)
{
    if (p->hpa)
        foreign_put(p->hpa);
    p->hpa = 0;
    p->word = NULL;
}

/* Under the object lock. A page that is not there, read-only or a device stays unused: the guest
 * finds out that nothing is ever written. */
static void page_take(struct vcpu *vcpu, struct pv_page *p, uint64_t address)
{
    struct space *space = &vcpu->guest->space;
    uint64_t page = align_down(address, PAGE_SIZE);
    page_drop(p);
    p->gpa = address;
    if (vcpu->guest->obj.dead || page >= space->limit)
        return;
    const struct mapping *mapping = mapping_find(space, page, PAGE_SIZE);
    const struct mem *mem = mapping ? (struct mem *)mapping->cap->obj : NULL;
    if (!mem || mem->device || !(mapping->flags & MAP_WRITE))
        return;
    hpa_t pa = hpa(mem->base.v + mapping->offset + (page - mapping->address));
    if (!foreign_get(pa.v))
        return;
    p->hpa = pa.v;
    p->word = (uint32_t *)((char *)hpa_to_kva(pa) + (address & PAGE_MASK));
}

/* In the exit loop: a section may not be held while waiting for the lock, whose holder may wait for
 * the section. Nothing that was looked up is in use here. */
static bool lock_objects(void)
{
    section_leave(cpu_self());
    bool locked = object_lock_take();
    section_enter(cpu_self());
    return locked;
}

static void set_page(struct vcpu *vcpu, struct pv_page *p, uint64_t msr, uint64_t address)
{
    if (!lock_objects())
        return; /* the thread is being killed */
    p->msr = msr;
    if (msr & PV_ENABLE)
        page_take(vcpu, p, address);
    else
        page_drop(p);
    spin_unlock(&object_lock);
}

static void write_steal(struct vcpu *vcpu);

bool pv_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if (msr == MSR_KVM_PV_EOI_EN) {
        if (value & 2)
            return false;
        pv_eoi_disarm(vcpu);
        if (vcpu->pv.eoi_armed)
            pv_eoi_sync(vcpu, true);
        set_page(vcpu, &vcpu->pv.eoi, value, value & ~3ull);
        return true;
    }
    if (value & 0x3e)
        return false;
    set_page(vcpu, &vcpu->pv.steal, value, value & ~0x3full);
    if (value & PV_ENABLE)
        write_steal(vcpu);
    return true;
}

bool pv_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    *value = msr == MSR_KVM_PV_EOI_EN ? vcpu->pv.eoi.msr : vcpu->pv.steal.msr;
    return true;
}

static bool is_level(const struct vlapic *lapic, uint8_t vector)
{
    return (__atomic_load_n(&lapic->tmr[vector >> 5], __ATOMIC_RELAXED) >> (vector & 31)) & 1;
}

void pv_eoi_arm(struct vcpu *vcpu, uint8_t vector)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint32_t *word = word_of(&vcpu->pv.eoi);
    if (!word || is_level(lapic, vector) || vlapic_isr_highest(lapic) >= 0 ||
        vlapic_irr_highest(lapic) >= 0)
        return;
    __atomic_fetch_or(word, 1, __ATOMIC_SEQ_CST);
    vcpu->pv.eoi_early = true;
}

void pv_eoi_disarm(struct vcpu *vcpu)
{
    uint32_t *word = word_of(&vcpu->pv.eoi);
    if (vcpu->pv.eoi_early && word)
        __atomic_fetch_and(word, ~1u, __ATOMIC_SEQ_CST);
    vcpu->pv.eoi_early = false;
}

void pv_eoi_taken(struct vcpu *vcpu, uint8_t vector)
{
    const struct vlapic *lapic = &vcpu->lapic;
    uint32_t *word = word_of(&vcpu->pv.eoi);
    if (vcpu->pv.eoi_early) {
        vcpu->pv.eoi_early = false;
        vcpu->pv.eoi_armed = true;
        pv_eoi_sync(vcpu, false); /* it may be over already */
        return;
    }
    if (!word || is_level(lapic, vector) || vlapic_irr_highest(lapic) >= 0)
        return;
    __atomic_fetch_or(word, 1, __ATOMIC_SEQ_CST);
    vcpu->pv.eoi_armed = true;
}

static void ended(struct vcpu *vcpu)
{
    vcpu->stat[STAT_PV_EOI]++;
    int level = vlapic_eoi(&vcpu->lapic);
    if (level < 0)
        return;
    /* The vector has become a level-triggered one since: its I/O APIC must hear of it. */
    vcpu->eoi_vector = (uint8_t)level;
    vcpu_note(vcpu, REQ_EOI);
}

void pv_eoi_sync(struct vcpu *vcpu, bool cancel)
{
    uint32_t *word = word_of(&vcpu->pv.eoi);
    if (!word) {
        vcpu->pv.eoi_armed = false;
        return;
    }
    bool still = (cancel ? __atomic_fetch_and(word, ~1u, __ATOMIC_SEQ_CST)
                         : __atomic_load_n(word, __ATOMIC_ACQUIRE)) &
                 1;
    if (!still)
        ended(vcpu);
    vcpu->pv.eoi_armed = still && !cancel;
}

/* struct kvm_steal_time: steal (ns) 0, version 8, flags 12, preempted 16. The version is odd while
 * the rest changes. */
static void write_steal(struct vcpu *vcpu)
{
    uint32_t *word = word_of(&vcpu->pv.steal);
    if (!word)
        return;
    uint64_t ns = vcpu->stat[STAT_STEAL_TSC] / MAX(tsc_khz, 1000) * 1000000 +
                  vcpu->stat[STAT_STEAL_TSC] % MAX(tsc_khz, 1000) * 1000000 / MAX(tsc_khz, 1000);
    uint32_t version = (__atomic_load_n(&word[2], __ATOMIC_RELAXED) | 1) + (word[2] & 1) * 2;
    __atomic_store_n(&word[2], version, __ATOMIC_RELEASE);
    __atomic_store_n((uint64_t *)(void *)word, ns, __ATOMIC_RELEASE);
    __atomic_store_n((uint8_t *)&word[4], 0, __ATOMIC_RELEASE);
    __atomic_store_n(&word[2], version + 1, __ATOMIC_RELEASE);
}

void pv_steal(struct vcpu *vcpu)
{
    vcpu->stat[STAT_STEAL_TSC] += rdtsc() - vcpu->paused;
    vcpu->paused = 0;
    write_steal(vcpu);
}

void pv_preempted(struct vcpu *vcpu)
{
    uint32_t *word = word_of(&vcpu->pv.steal);
    vcpu->paused = rdtsc();
    if (word)
        __atomic_store_n((uint8_t *)&word[4], 1, __ATOMIC_RELEASE);
}

void pv_unmap(struct vcpu *vcpu, uint64_t address, uint64_t size)
{
    struct pv_page *pages[] = {&vcpu->pv.eoi, &vcpu->pv.steal};
    bool inside[ARRAY_LEN(pages)], any = false;
    for (uint32_t i = 0; i < ARRAY_LEN(pages); i++) {
        inside[i] = pages[i]->hpa && align_down(pages[i]->gpa, PAGE_SIZE) - address < size;
        if (inside[i])
            __atomic_store_n(&pages[i]->word, NULL, __ATOMIC_SEQ_CST);
        any |= inside[i];
    }
    if (!any)
        return;
    quiesce();
    for (uint32_t i = 0; i < ARRAY_LEN(pages); i++)
        if (inside[i])
            page_drop(pages[i]);
}

void pv_reset(struct vcpu *vcpu, bool locked)
{
    vcpu->pv.eoi_armed = vcpu->pv.eoi_early = false;
    if (!vcpu->pv.eoi.hpa && !vcpu->pv.steal.hpa) {
        vcpu->pv.eoi.msr = vcpu->pv.steal.msr = 0;
        return;
    }
    if (locked) /* not by the owner */
        pv_unmap(vcpu, 0, UINT64_MAX);
    else if (!lock_objects())
        return; /* the thread is being killed: vcpu_destroy or guest_destroy follows */
    page_drop(&vcpu->pv.eoi);
    page_drop(&vcpu->pv.steal);
    vcpu->pv.eoi.msr = vcpu->pv.steal.msr = 0;
    if (!locked)
        spin_unlock(&object_lock);
}

/* Two words of a bitmap of APIC ids from `base` on. Answer: how many were reached. */
static uint64_t send_ipis(struct vcpu *vcpu, const uint64_t map[2], uint32_t base, uint32_t icr)
{
    struct apic_message m = {.vector = (uint8_t)icr, .mode = (icr >> 8) & 7, .x2 = true};
    uint64_t count = 0;
    if (m.mode != APIC_FIXED && m.mode != APIC_NMI)
        return (uint64_t) - (int64_t)KVM_EINVAL;
    for (uint32_t i = 0; i < 128; i++) {
        if (!(map[i / 64] >> (i % 64) & 1))
            continue;
        if ((uint64_t)base + i >= GUEST_VCPUS)
            break; /* nor is there a broadcast here */
        m.dest = base + i;
        count += guest_deliver(vcpu->guest, &m, NULL);
    }
    vcpu->stat[STAT_ICR]++;
    return count;
}

static void kick_cpu(struct vcpu *vcpu, uint32_t apic_id)
{
    if (apic_id >= GUEST_VCPUS)
        return;
    struct vcpu *target = __atomic_load_n(&vcpu->guest->tables->vcpu[apic_id], __ATOMIC_ACQUIRE);
    /* REQ_IRQ makes it look; kicked makes HLT end without an interrupt. */
    if (target) {
        __atomic_store_n(&target->pv.kicked, true, __ATOMIC_RELEASE);
        vcpu_request(target, REQ_IRQ);
    }
}

static uint64_t hypercall(struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->page->gpr;
    uint64_t map[2] = {gpr[GPR_RBX], gpr[GPR_RCX]};
    switch (vcpu->rax) {
    case HC_POLL_IRQ: /* the exit itself did it */
        return 0;
    case HC_SEND_IPI:
        return send_ipis(vcpu, map, (uint32_t)gpr[GPR_RDX], (uint32_t)gpr[GPR_RSI]);
    case HC_KICK_CPU:
        kick_cpu(vcpu, (uint32_t)map[1]);
        return 0;
    case HC_SCHED_YIELD:
        vcpu_yield(vcpu, (uint32_t)MIN(map[0], (uint64_t)GUEST_VCPUS));
        return 0;
    default:
        return (uint64_t) - (int64_t)KVM_ENOSYS;
    }
}

void pv_hypercall(struct vcpu *vcpu)
{
    bool allowed = virt->get(vcpu, VREG_CPL) == 0;
    vcpu->rax = allowed ? hypercall(vcpu) : (uint64_t) - (int64_t)KVM_EPERM;
}
