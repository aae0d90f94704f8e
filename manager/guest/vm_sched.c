/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPU time of one run. The scheduling contexts of a guest's threads are the manager's, so that
 * it can change them and read their accounts at any time without the VMM. */
#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "lib/cpulist.h"
#include "manager/host/cpus.h"
#include "manager/guest/vm.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

/* Before its parameters are set; nothing runs on it then. */
#define FIRST_PRIORITY 0u

static char why_text[MGR_TEXT];

uint32_t vm_sched_slot(const struct vm *vm, uint32_t i)
{
    if (i == TUNE_EMULATOR)
        return vm->vmm.alive ? vm->vmm.sc : 0;
    return i < vm->sc_count ? vm->sc[i] : 0;
}

static void name_thread(uint32_t i, char out[24])
{
    if (i == TUNE_EMULATOR)
        snprintf(out, 24, "the emulator");
    else
        snprintf(out, 24, "vCPU %u", (unsigned)i);
}

/* Why the kernel does not take the parameters of thread i. */
static const char *refused(const struct vm *vm, const struct tune *tune, uint32_t i, int64_t status,
                           uint64_t promised)
{
    char name[24], list[CPULIST_TEXT];
    struct tune_set mine = cpus_of(tune), set = tune_allowed(tune, i, NULL, NULL);
    uint64_t wants = i == TUNE_EMULATOR ? 0 : tune_promised_ppm(tune, i);
    name_thread(i, name);
    if (status != ERR_ADMISSION) {
        snprintf(why_text, sizeof(why_text), "%s: scheduling parameters: status %lld", name,
                 (long long)status);
        return why_text;
    }
    set = tune_set_both(&set, &mine);
    cpulist_format(set.word, TUNE_CPUS, list, sizeof(list));
    snprintf(
        why_text, sizeof(why_text),
        "%s:%u: <domain/metadata/mullion:reservation>: %s needs %llu.%llu %% of a CPU; of CPUs "
        "%s even the least reserved has promised %llu.%llu %% of %u %%",
        vm->def.file, (unsigned)tune->vcpu[i % VMM_MAX_VCPUS].reserve_line, name,
        (unsigned long long)(wants / 10000), (unsigned long long)(wants / 1000 % 10), list,
        (unsigned long long)(promised / 10000), (unsigned long long)(promised / 1000 % 10),
        SC_RESERVABLE_PPM / 10000);
    return why_text;
}

static int64_t set_params(uint32_t slot, const struct sc_params *params, uint64_t *promised)
{
    memcpy(utcb_self()->mr, params, sizeof(*params));
    return sys_sc_params(slot, promised);
}

const char *vm_sched_take(struct vm *vm)
{
    struct tune_fault fault;
    vm->tune = vm->def.tune;
    if (!cpus_check(&vm->tune, &fault)) {
        snprintf(why_text, sizeof(why_text), "%s:%u: <domain/%s>: %s", vm->def.file,
                 (unsigned)fault.line, fault.path, fault.why);
        return why_text;
    }
    cpus_assign(&vm->tune, vm->first_cpu);
    vm->has_cpus = true;
    for (uint32_t i = 0; i < vm->tune.vcpus; i++) {
        struct sc_params params;
        uint64_t promised = 0;
        uint32_t slot = slot_alloc();
        int64_t status =
            slot ? sys_sc_create(slot, SLOT_MACHINE, vm->first_cpu[i], FIRST_PRIORITY, 0, 0)
                 : ERR_QUOTA;
        if (status != OK) {
            slot_free(slot);
            return refused(vm, &vm->tune, i, status, 0);
        }
        vm->sc[vm->sc_count++] = slot;
        cpus_params(&vm->tune, i, &params);
        status = set_params(slot, &params, &promised);
        if (status ==
            OK) /* all of them pay for what the emulator, or a driver, does for the guest */
            status = sys_sc_payer(slot, vm->sc[0], 1);
        if (status != OK)
            return refused(vm, &vm->tune, i, status, promised);
    }
    return NULL;
}

void vm_sched_release(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->sc_count; i++) {
        sys_cap_revoke(vm->sc[i]);
        slot_free(vm->sc[i]);
    }
    vm->sc_count = 0;
    if (vm->has_cpus)
        cpus_release(vm->first_cpu, vm->tune.vcpus);
    vm->has_cpus = false;
}

static uint32_t thread_at(const struct tune *tune, uint32_t n)
{
    return n < tune->vcpus ? n : TUNE_EMULATOR;
}

/* Thread n, if what it is told differs. */
static int64_t change(const struct vm *vm, const struct tune *from, const struct tune *to,
                      uint32_t n, uint64_t *promised)
{
    struct sc_params before, after;
    uint32_t i = thread_at(to, n);
    cpus_params(from, i, &before);
    cpus_params(to, i, &after);
    if (!memcmp(&before, &after, sizeof(before)))
        return OK;
    return set_params(vm_sched_slot(vm, i), &after, promised);
}

static const char *apply(struct vm *vm, const struct tune *next)
{
    for (uint32_t n = 0; n <= next->vcpus; n++) {
        uint64_t promised = 0, ignored;
        int64_t status = change(vm, &vm->tune, next, n, &promised);
        if (status == OK)
            continue;
        /* What was promised before fits again: nobody else has been promised anything meanwhile. */
        for (uint32_t k = 0; k < n; k++)
            change(vm, next, &vm->tune, k, &ignored);
        return refused(vm, next, thread_at(next, n), status, promised);
    }
    vm->tune = *next;
    return NULL;
}

/* Thread n, told once more, if what it is told differs since swap(). */
static int64_t retune(const struct vm *vm, uint32_t n, void (*swap)(void), uint64_t *promised)
{
    struct sc_params before, after;
    uint32_t i = thread_at(&vm->tune, n), slot = vm_sched_slot(vm, i);
    swap();
    cpus_params(&vm->tune, i, &before);
    swap();
    cpus_params(&vm->tune, i, &after);
    if (!slot || !memcmp(&before, &after, sizeof(before)))
        return OK;
    return set_params(slot, &after, promised);
}

/* All threads; the first that cannot: why. */
static const char *retune_all(void (*swap)(void), bool checked)
{
    const char *why = NULL;
    for (uint32_t i = 0; i < vm_count() && !why; i++) {
        const struct vm *vm = vm_at(i);
        for (uint32_t n = 0; n <= vm->tune.vcpus && lifecycle_has_vmm(vm->state) && !why; n++) {
            uint64_t promised = 0;
            int64_t status = retune(vm, n, swap, &promised);
            if (status != OK && checked)
                why = refused(vm, &vm->tune, thread_at(&vm->tune, n), status, promised);
        }
    }
    return why;
}

const char *vm_sched_retune(void (*swap)(void))
{
    struct tune_fault fault;
    const char *why = NULL;
    swap();
    for (uint32_t i = 0; i < vm_count() && !why; i++) {
        const struct vm *vm = vm_at(i);
        if (!lifecycle_has_vmm(vm->state) || cpus_check(&vm->tune, &fault))
            continue;
        snprintf(why_text, sizeof(why_text), "domain '%s': %s", vm->def.name, fault.why);
        swap();
        return why_text;
    }
    why = retune_all(swap, true);
    if (why) { /* what was promised before fits again */
        swap();
        retune_all(swap, false);
    }
    return why;
}

const struct tune *vm_tune(const struct vm *vm, uint32_t flags, const char **why)
{
    bool on = lifecycle_has_vmm(vm->state);
    *why = NULL;
    if ((flags & MGR_TUNE_LIVE) && !on) {
        *why = "Requested operation is not valid: domain is not running";
        return NULL;
    }
    return on && !(flags & MGR_TUNE_CONFIG) ? &vm->tune : &vm->def.tune;
}

const char *vm_change_tune(struct vm *vm, uint32_t flags, vm_tune_edit *edit, const void *context)
{
    bool on = lifecycle_has_vmm(vm->state);
    bool live = (flags & MGR_TUNE_LIVE) || (on && !(flags & MGR_TUNE_CONFIG));
    bool config = (flags & MGR_TUNE_CONFIG) || !live;
    struct tune *targets[2] = {live ? &vm->tune : NULL, config ? &vm->def.tune : NULL};
    static struct tune next[2];
    if (live && !on)
        return "Requested operation is not valid: domain is not running";
    for (uint32_t i = 0; i < 2; i++) {
        struct tune_fault fault;
        if (!targets[i])
            continue;
        next[i] = *targets[i];
        const char *why = edit(&next[i], context);
        if (why)
            return why;
        if (!cpus_check(&next[i], &fault)) {
            snprintf(why_text, sizeof(why_text), "invalid argument: %s", fault.why);
            return why_text;
        }
    }
    const char *why = live ? apply(vm, &next[0]) : NULL;
    if (!why && config)
        vm->def.tune = next[1];
    return why;
}

bool vm_sched_info(const struct vm *vm, uint32_t i, struct sc_info *info)
{
    uint32_t slot = vm_sched_slot(vm, i);
    *info = (struct sc_info){0};
    if (!slot || sys_sc_info(slot) != OK)
        return false;
    memcpy(info, utcb_self()->mr, sizeof(*info));
    return true;
}
