/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU pools and CPUs that go offline: what running guests are told, what is refused, and that a
 * refusal changes nothing. */
#include "tests/unit/fake/manager.h"

static bool kernel_refuses;
static uint32_t told_offline;
static int64_t sys_machine_control(uint32_t machine, uint64_t op, uint64_t arg)
{
    (void)machine;
    if (op == MACHINE_CPU_OFFLINE && kernel_refuses)
        return ERR_ADMISSION;
    if (op == MACHINE_CPU_OFFLINE)
        told_offline |= 1u << arg;
    else
        told_offline &= ~(1u << arg);
    return OK;
}
#define refuse rpc_refuse
#include "manager/rpc/rpc_cpu.c"

static char said[MGR_TEXT];

static const char *read_answer(const struct utcb *call)
{
    said[0] = 0;
    if (call->mr[0] != OK)
        memcpy(said, &call->mr[MGR_PAYLOAD], sizeof(said));
    return said;
}

static const char *ask(uint64_t what, const char *name, const char *list)
{
    static struct utcb call;
    memset(&call, 0, sizeof(call));
    call.mr[1] = what;
    snprintf((char *)&call.mr[MGR_PAYLOAD], MGR_NAME, "%s", name);
    snprintf((char *)&call.mr[MGR_REQUEST], sizeof(struct mgr_cpupool_set), "%s", list);
    rpc_cpupool(&call, UTCB_WORDS);
    return read_answer(&call);
}

static const char *offline_cpu(uint64_t cpu, bool on)
{
    static struct utcb call;
    memset(&call, 0, sizeof(call));
    call.mr[1] = on ? MGR_CPU_ONLINE : MGR_CPU_OFFLINE;
    call.mr[2] = cpu;
    rpc_cpu(&call, 1);
    return read_answer(&call);
}

static uint64_t runs_on(const struct vm *vm, uint32_t vcpu)
{
    return told[vm->sc[vcpu]].affinity[0];
}

static struct vm *in_pool(const char *name, const char *whose)
{
    struct vm *vm = add(name, 16 * MIB);
    snprintf(vm->def.tune.pool, sizeof(vm->def.tune.pool), "%s", whose);
    vm->def.tune.pool_line = 8;
    return vm;
}

static void begin(void)
{
    setup();
    kernel_refuses = false;
    told_offline = 0;
    promisable = 1000000;
}

TEST(a_pool_is_its_guests_alone)
{
    begin();
    struct vm *a = in_pool("alpha", ""), *b = in_pool("beta", "real");
    vm_input(a, VM_IN_START);
    CHECK_EQ(runs_on(a, 0), 0xf);
    CHECK(strstr(vm_input(b, VM_IN_START),
                 "beta.xml:8: <domain/metadata/mullion:cpupool>: there is "
                 "no CPU pool 'real'"));
    CHECK(!*ask(MGR_CPUPOOL_CREATE, "real", "2-3"));
    CHECK(runs_on(a, 0) == 3 && runs_on(a, 1) == 3 && told[11].affinity[0] == 3);
    CHECK(!vm_input(b, VM_IN_START));
    CHECK(runs_on(b, 0) == 0xc && load[2] == 1 && load[3] == 1);
    CHECK(!*ask(MGR_CPUPOOL_ADD, "real", "1"));
    CHECK(runs_on(a, 0) == 1 && runs_on(b, 1) == 0xe);
    CHECK(!*ask(MGR_CPUPOOL_REMOVE, "real", "1-2"));
    CHECK(runs_on(a, 0) == 7 && runs_on(b, 1) == 8);
    CHECK(!*ask(MGR_CPUPOOL_MOVE, "alpha", "real"));
    CHECK(runs_on(a, 0) == 8 && !strcmp(a->tune.pool, "real") && !a->def.tune.pool[0]);
    CHECK(!*ask(MGR_CPUPOOL_MOVE, "alpha", "") && runs_on(a, 0) == 7);
    CHECK(
        strstr(ask(MGR_CPUPOOL_DESTROY, "real", ""), "domain 'beta': there is no CPU pool 'real'"));
    vm_input(b, VM_IN_DESTROY);
    CHECK(!*ask(MGR_CPUPOOL_DESTROY, "real", "") && runs_on(a, 0) == 0xf);
    vm_input(a, VM_IN_DESTROY);
    CHECK(balanced(a));
}

TEST(contradictions_are_refused)
{
    begin();
    struct vm *a = in_pool("alpha", "");
    a->def.tune.vcpu[1].pin_line = 5;
    a->def.tune.vcpu[1].pin.word[0] = 4;
    vm_input(a, VM_IN_START);
    int before = params_set;
    CHECK(strstr(ask(MGR_CPUPOOL_CREATE, "real", "2-3"),
                 "domain 'alpha': this host has CPUs 0-1, none of 2; CPUs 2-3 are CPU pools'"));
    CHECK(params_set == before && !cpupool_count());
    CHECK(!*ask(MGR_CPUPOOL_CREATE, "real", "3"));
    CHECK(strstr(ask(MGR_CPUPOOL_CREATE, "real", "0"), "CPU pool 'real' is there already"));
    CHECK(strstr(ask(MGR_CPUPOOL_CREATE, "b", "0,3"), "another CPU pool has CPUs 3"));
    CHECK(strstr(ask(MGR_CPUPOOL_CREATE, "b", "3-9"), "this host has no CPUs 4-9"));
    CHECK(strstr(ask(MGR_CPUPOOL_CREATE, "b", "0-2"), "are all that is left"));
    CHECK(strstr(ask(MGR_CPUPOOL_CREATE, "a b", "0"), "is not a name"));
    CHECK(strstr(ask(MGR_CPUPOOL_CREATE, "b", "x"), "Failed to parse bitmap 'x'"));
    CHECK(strstr(ask(MGR_CPUPOOL_REMOVE, "real", "2"), "CPU pool 'real' has no CPUs 2"));
    CHECK(strstr(ask(MGR_CPUPOOL_REMOVE, "real", "3"), "has only CPUs 3"));
    CHECK(strstr(ask(MGR_CPUPOOL_ADD, "none", "2"), "there is no CPU pool 'none'"));
    CHECK(strstr(ask(MGR_CPUPOOL_MOVE, "alpha", "none"), "there is no such CPU pool"));
    CHECK(strstr(ask(MGR_CPUPOOL_MOVE, "alpha", "real"), "CPU pool 'real' has CPUs 3, none of 2"));
    CHECK(strstr(ask(MGR_CPUPOOL_MOVE, "nobody", "real"), "failed to get domain 'nobody'"));
    CHECK(strstr(ask(9, "real", ""), "incomplete"));
    for (uint32_t i = 1; i < 3; i++) {
        char name[2] = {(char)('a' + i)}, cpu[2] = {(char)('0' + i - 1)};
        ask(MGR_CPUPOOL_CREATE, name, cpu);
    }
    CHECK_EQ(cpupool_count(), 3); /* CPU 2 is left, to which alpha is pinned */
    CHECK_EQ(runs_on(a, 0), 4);
}

/* The second of two guests cannot be promised what it had; the first is told as before again. */
TEST(a_refused_change_leaves_no_trace)
{
    begin();
    struct vm *a = in_pool("alpha", ""), *b = in_pool("beta", "");
    b->def.tune.vcpu[1] =
        (struct tune_thread){.budget_us = 400, .period_us = 1000, .reserve_line = 9};
    vm_input(a, VM_IN_START);
    vm_input(b, VM_IN_START);
    promisable = 0;
    CHECK(strstr(ask(MGR_CPUPOOL_CREATE, "real", "2-3"), "needs 40.0 % of a CPU"));
    CHECK(runs_on(a, 0) == 0xf && runs_on(b, 0) == 0xf && !cpupool_count());
}

/* With core scheduling, second threads take nobody in. */
TEST(offline_cores)
{
    static const struct tune_set first = {{5}};
    begin();
    cpus_limit(&first);
    struct vm *a = in_pool("alpha", "");
    a->def.tune.vcpu[1].pin_line = 5;
    a->def.tune.vcpu[1].pin.word[0] = 1;
    vm_input(a, VM_IN_START);
    CHECK(runs_on(a, 0) == 5 && runs_on(a, 1) == 1);
    CHECK(!*offline_cpu(0, false) && runs_on(a, 1) == 4);
    CHECK(strstr(offline_cpu(2, false), "no CPU that guests may use is online"));
    CHECK(!*offline_cpu(0, true) && runs_on(a, 1) == 1);
    CHECK(!*ask(MGR_CPUPOOL_CREATE, "second", "1,3"));
    CHECK(strstr(ask(MGR_CPUPOOL_MOVE, "alpha", "second"), "has only second threads of cores"));
}

TEST(offline_cpus_keep_pools_apart)
{
    begin();
    struct vm *a = in_pool("alpha", ""), *b = in_pool("beta", "real");
    b->def.tune.vcpu[1].pin_line = 5;
    b->def.tune.vcpu[1].pin.word[0] = 8;
    ask(MGR_CPUPOOL_CREATE, "real", "2-3");
    vm_input(a, VM_IN_START);
    vm_input(b, VM_IN_START);
    CHECK(runs_on(b, 0) == 0xc && runs_on(b, 1) == 8);
    CHECK(!*offline_cpu(3, false) && told_offline == 8);
    CHECK_EQ(runs_on(b, 1), 4); /* pinned elsewhere, but not out of its pool */
    CHECK(
        strstr(offline_cpu(2, false), "domain 'beta': CPU pool 'real' has no CPU that is online"));
    CHECK(told_offline == 8 && runs_on(b, 1) == 4);
    CHECK(!*offline_cpu(3, true) && !told_offline && runs_on(b, 1) == 8);
    kernel_refuses = true;
    CHECK(strstr(offline_cpu(3, false), "reservations that fit on no other"));
    CHECK_EQ(runs_on(b, 1), 8);
    kernel_refuses = false;
    for (uint32_t i = 2; i < 4; i++)
        vm_input(b, VM_IN_DESTROY), offline_cpu(i, false);
    CHECK(!*offline_cpu(0, false));
    CHECK(strstr(offline_cpu(1, false), "it is the last CPU"));
    CHECK(strstr(offline_cpu(4, false), "this host has no such CPU"));
    vm_input(b, VM_IN_START);
    CHECK(strstr(b->reason, "CPU pool 'real' has no CPU that is online"));
}

/* Each vCPU on an idle CPU; of these, near the guest's memory. */
TEST(vcpus_begin_near_their_memory)
{
    static const uint32_t nodes[] = {0, 1, 0, 1};
    begin();
    cpus_init(4, nodes);
    struct vm *a = in_pool("alpha", ""), *b = in_pool("beta", "");
    a->def.tune.numa = TUNE_NUMA_PREFERRED;
    a->def.tune.nodes = 2;
    vm_input(a, VM_IN_START);
    CHECK(a->first_cpu[0] == 1 && a->first_cpu[1] == 3);
    vm_input(b, VM_IN_START);
    CHECK(b->first_cpu[0] == 0 && b->first_cpu[1] == 2);
}
