/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine for the tests of virt/: the headers of CPU and single instructions are replaced, the
 * vendor is an array of registers, the clock stands until a test moves it. */
#ifndef TESTS_UNIT_FAKE_VIRT_WORLD_H
#define TESTS_UNIT_FAKE_VIRT_WORLD_H

#define ARCH_CPU_H
#define ARCH_INSN_H

#include "abi/thread.h"
#include "arch/x86_64/regs.h"
#include "lib/types.h"

struct vcpu;
struct thread;
struct fpu_area;
struct cpu {
    uint32_t id;
    struct thread *current;
    _Atomic uint32_t resched, section;
    struct vcpu *_Atomic in_guest;
    struct fpu_area *fpu_owner;
    struct virt_cpu *virt;
};
static struct cpu fake_cpu;
static struct cpu *fake_cpus[1] = {&fake_cpu};
static struct cpu **cpus = fake_cpus;
static uint32_t cpu_count = 1;
#define VEC_RESCHED 0xe1u
static inline struct cpu *cpu_self(void)
{
    return &fake_cpu;
}

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};
static uint64_t fake_tsc = 1000000;
static uint64_t fake_xcr0;
static struct cpuid_regs (*fake_cpuid)(uint32_t leaf, uint32_t subleaf);
static inline uint64_t rdtsc(void)
{
    return fake_tsc;
}
static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    return fake_cpuid ? fake_cpuid(leaf, subleaf) : (struct cpuid_regs){0};
}
static inline uint64_t rdmsr(uint32_t index)
{
    (void)index;
    return 0;
}
static inline void wrmsr(uint32_t index, uint64_t value)
{
    (void)index;
    (void)value;
}
static inline uint64_t xgetbv0(void)
{
    return fake_xcr0;
}
static inline void xsetbv0(uint64_t value)
{
    fake_xcr0 = value;
}
static inline void cpu_pause(void)
{
}

#include "arch/x86_64/apic.h"
#include "arch/x86_64/platform.h"
#include "kernel/slab.h"
#include "virt/event.h"
#include "virt/guest.h"
#include "virt/vlapic_timer.h"

struct cpu_features features;
uint64_t virt_assists;
uint64_t tsc_khz = 2000000; /* two cycles a nanosecond */
spinlock_t object_lock;

static uint64_t fake_reg[VREGS];
static uint32_t fake_offers;
static uint64_t fake_get(struct vcpu *vcpu, enum vreg which)
{
    (void)vcpu;
    return fake_reg[which];
}
static void fake_set(struct vcpu *vcpu, enum vreg which, uint64_t value)
{
    (void)vcpu;
    fake_reg[which] = value;
}
static void fake_offer(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_offers++;
}
static int64_t fake_load(struct vcpu *vcpu, const struct vcpu_page *from, uint32_t groups)
{
    (void)vcpu;
    (void)from;
    (void)groups;
    return OK;
}
static const struct virt_ops fake_ops = {
    .get = fake_get, .set = fake_set, .offer = fake_offer, .load = fake_load};
const struct virt_ops *virt = &fake_ops;

static struct timer *fake_armed; /* at most one timer is armed in these tests */
void timer_init(struct timer *timer, void (*fire)(struct timer *))
{
    *timer = (struct timer){.fire = fire};
}
void timer_arm(struct timer *timer, uint64_t deadline)
{
    timer->deadline = deadline;
    timer->cpu = &fake_cpu;
    fake_armed = timer;
}
void timer_disarm(struct timer *timer)
{
    timer->cpu = NULL;
    if (fake_armed == timer)
        fake_armed = NULL;
}
/* Moves the clock; fires. */
__attribute__((unused)) static void fake_wait(uint64_t cycles)
{
    uint64_t end = fake_tsc + cycles;
    while (fake_armed && fake_armed->deadline <= end) {
        struct timer *timer = fake_armed;
        fake_tsc = MAX(fake_tsc, timer->deadline);
        timer_disarm(timer);
        timer->fire(timer);
        return; /* the owner must look before time goes on */
    }
    fake_tsc = end;
}

static uint64_t fake_signals;
void vcpu_request(struct vcpu *vcpu, uint32_t bits)
{
    vcpu_note(vcpu, bits);
}
void vcpu_post(struct vcpu *vcpu)
{
    vcpu_note(vcpu, REQ_IRQ);
}
enum verdict vcpu_to_vmm(struct vcpu *vcpu, enum vcpu_exit reason, uint32_t groups)
{
    vcpu->page->reason = reason;
    vcpu->page->valid = groups;
    return TO_VMM;
}
struct notif;
void notif_signal(struct notif *notif, uint64_t bits);
void notif_signal(struct notif *notif, uint64_t bits)
{
    (void)notif;
    fake_signals |= bits;
}
void *slab_alloc(size_t size)
{
    return calloc(1, size);
}
void slab_free(void *p, size_t size)
{
    (void)size;
    free(p);
}
size_t slab_cost(size_t size)
{
    return size;
}
void pd_credit(struct pd *pd, uint64_t bytes)
{
    (void)pd, (void)bytes;
}
void obj_ref(struct obj *obj)
{
    obj->refs++;
}
void obj_unref(struct obj *obj)
{
    obj->refs--;
}
/* Nobody waits for a CPU in these tests. */
bool sched_yield_to(struct sc *to)
{
    (void)to;
    return false;
}
void shootdown_poll(void)
{
}
void apic_ipi(uint32_t cpu, uint8_t vector)
{
    (void)cpu;
    (void)vector;
}
void space_destroy(struct space *space)
{
    (void)space;
}
void pd_free_pages(struct pd *pd, void *pages, uint32_t order)
{
    (void)pd;
    (void)pages;
    (void)order;
}

#define FAKE_VCPUS 4u
static struct guest_tables fake_tables;
static struct guest fake_guest;
static struct vcpu fake_vcpu[FAKE_VCPUS];
static struct vcpu_page fake_page[FAKE_VCPUS];
static uint64_t fake_shadow[FAKE_VCPUS][MSR_SHADOW_MAX];

/* A guest of four vCPUs, APIC ids 0 to 3, all in x2APIC mode and enabled. */
__attribute__((unused)) static void fake_world(void)
{
    memset(&fake_tables, 0, sizeof(fake_tables));
    memset(fake_vcpu, 0, sizeof(fake_vcpu));
    memset(fake_page, 0, sizeof(fake_page));
    memset(fake_shadow, 0, sizeof(fake_shadow));
    memset(fake_reg, 0, sizeof(fake_reg));
    fake_guest = (struct guest){.tables = &fake_tables, .apic_limit = FAKE_VCPUS};
    fake_armed = NULL;
    fake_signals = 0;
    for (uint32_t i = 0; i < FAKE_VCPUS; i++) {
        struct vcpu *vcpu = &fake_vcpu[i];
        vcpu->apic_id = i;
        vcpu->guest = &fake_guest;
        vcpu->page = &fake_page[i];
        vcpu->shadow = fake_shadow[i];
        vlapic_timer_init(&vcpu->lapic);
        vlapic_reset(vcpu, false);
        vlapic_set_base(vcpu, vcpu->lapic.base | APIC_BASE_EXTD);
        vcpu->lapic.svr = 0x1ff;
        vcpu->requests = 0;
        fake_tables.vcpu[i] = vcpu;
    }
}

#endif
