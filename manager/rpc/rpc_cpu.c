/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/rpc/rpc_cpu.h"

#include <stdio.h>
#include <string.h>
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/host/cpupool.h"
#include "manager/host/cpus.h"
#include "manager/definition/domain_value.h"
#include "manager/protocol.h"
#include "manager/guest/vm.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

static void *payload(struct utcb *utcb)
{
    return &utcb->mr[MGR_PAYLOAD];
}

static uint64_t refuse(struct utcb *utcb, int64_t status, const char *why)
{
    utcb->mr[0] = (uint64_t)status;
    snprintf(payload(utcb), MGR_TEXT, "%s", why);
    return MGR_PAYLOAD + MGR_TEXT / 8;
}

/* The manager moves those that would be left without a CPU; the kernel does the rest. */
static const char *switch_cpu(uint32_t cpu, bool on, uint32_t machine)
{
    static char why[MGR_TEXT];
    struct tune_set online = cpus_online();
    bool is = tune_set_has(&online, cpu);
    if (is == on)
        return NULL;
    if (!on && tune_set_count(&online) == 1)
        return "operation failed: it is the last CPU";
    if (on && sys_machine_control(machine, MACHINE_CPU_ONLINE, cpu) != OK)
        return "operation failed: the kernel does not know it";
    cpus_prepare(cpu);
    const char *reason = vm_sched_retune(cpus_toggle);
    if (reason) {
        snprintf(why, sizeof(why), "operation failed: %s", reason);
        return why;
    }
    if (!on && sys_machine_control(machine, MACHINE_CPU_OFFLINE, cpu) != OK) {
        (void)vm_sched_retune(cpus_toggle);
        return "operation failed: it has reservations that fit on no other";
    }
    log_line("CPU %u is %s", (unsigned)cpu, on ? "online" : "offline");
    return NULL;
}

uint64_t rpc_cpu(struct utcb *utcb, uint32_t machine)
{
    uint64_t what = utcb->mr[1], cpu = utcb->mr[2];
    struct tune_set there = cpus_host();
    if (what != MGR_CPU_MAP) {
        if (cpu >= TUNE_CPUS || !tune_set_has(&there, (uint32_t)cpu))
            return refuse(utcb, ERR_ARG, "invalid argument: this host has no such CPU");
        const char *why = switch_cpu((uint32_t)cpu, what == MGR_CPU_ONLINE, machine);
        if (why)
            return refuse(utcb, ERR_ADMISSION, why);
    }
    struct tune_set online = cpus_online();
    utcb->mr[0] = OK;
    memcpy(payload(utcb), &online, sizeof(online));
    return MGR_PAYLOAD + sizeof(online) / 8;
}

static const struct tune *current_tune(const struct vm *vm)
{
    return lifecycle_has_vmm(vm->state) ? &vm->tune : &vm->def.tune;
}

uint64_t rpc_cpupools(struct utcb *utcb)
{
    struct mgr_cpupool *list = payload(utcb);
    uint32_t n = cpupool_count() + 1;
    _Static_assert(CPUPOOLS_MAX + 1 <= MGR_CPUPOOLS, "all pools fit into a reply");
    memset(list, 0, n * sizeof(*list));
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            memcpy(list[i].name, cpupool_at(i - 1)->name, sizeof(list[i].name));
        cpupool_cpus(list[i].name, &list[i].cpus);
        for (uint32_t k = 0; k < vm_count(); k++)
            list[i].guests += !strcmp(current_tune(vm_at(k))->pool, list[i].name);
    }
    utcb->mr[0] = OK;
    utcb->mr[2] = n;
    return UTCB_WORDS;
}

static const char *edit_pool(struct tune *tune, const void *context)
{
    const struct mgr_cpupool_set *set = context;
    struct tune_set cpus;
    if (strlen(set->text) >= sizeof(tune->pool) || !cpupool_cpus(set->text, &cpus))
        return "invalid argument: there is no such CPU pool";
    snprintf(tune->pool, sizeof(tune->pool), "%.31s", set->text);
    return NULL;
}

static const char *order(uint64_t what, const char *name, const struct mgr_cpupool_set *set)
{
    static char text[MGR_TEXT];
    struct tune_set cpus = {{0}};
    if (what == MGR_CPUPOOL_MOVE) {
        struct vm *vm = vm_by_name(name);
        snprintf(text, sizeof(text), "failed to get domain '%.63s'", name);
        return vm ? vm_change_tune(vm, 0, edit_pool, set) : text;
    }
    bool lists = what != MGR_CPUPOOL_DESTROY;
    if (lists && (!value_cpuset(set->text, cpus.word, TUNE_WORDS) || !tune_set_count(&cpus))) {
        snprintf(text, sizeof(text), "invalid argument: Failed to parse bitmap '%.100s'",
                 set->text);
        return text;
    }
    const char *why = cpupool_prepare((enum mgr_cpupool_order)what, name, &cpus);
    if (!why)
        why = vm_sched_retune(cpupool_swap);
    snprintf(text, sizeof(text), "operation failed: %s", why ? why : "");
    return why ? text : NULL;
}

uint64_t rpc_cpupool(struct utcb *utcb, uint32_t words)
{
    struct mgr_cpupool_set set;
    char name[MGR_NAME];
    uint64_t what = utcb->mr[1];
    if (words < MGR_REQUEST + sizeof(set) / 8 || what > MGR_CPUPOOL_MOVE)
        return refuse(utcb, ERR_ARG, "the request is incomplete");
    memcpy(name, payload(utcb), sizeof(name));
    memcpy(&set, &utcb->mr[MGR_REQUEST], sizeof(set));
    name[sizeof(name) - 1] = set.text[sizeof(set.text) - 1] = 0;
    const char *why = order(what, name, &set);
    utcb->mr[0] = OK;
    return why ? refuse(utcb, ERR_ARG, why) : 1;
}
