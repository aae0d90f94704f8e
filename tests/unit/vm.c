/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of virtual machines over faked system calls and a faked spawner: what is started, what
 * is taken back, in which order, and that the accounts balance. */
#include "tests/unit/fake/manager.h"

TEST(start_and_destroy_give_everything_back)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    for (int i = 0; i < 1000; i++) {
        CHECK(!vm_input(vm, VM_IN_START));
        CHECK_EQ(vm->state, VM_STARTING);
        CHECK(physmem_free_bytes() < 448 * MIB);
        vm_event(vm, VMM_EVENT_RUNNING, "");
        CHECK_EQ(vm->state, VM_RUNNING);
        CHECK(!vm_input(vm, VM_IN_DESTROY));
        CHECK(balanced(vm));
    }
    CHECK_EQ(spawned, 1000);
    CHECK_EQ(ended, 1000);
    CHECK(sent_bits[11] & CONSOLE_BIT_CHANGED);
}

TEST(configuration)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB + 4096);
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK(!strcmp(last_config.name, "alpha"));
    CHECK_EQ(last_config.vcpus, 2);
    CHECK(vm->first_cpu[0] != vm->first_cpu[1]);
    CHECK_EQ(last_config.kernel.size, 5000);
    CHECK_EQ(last_config.ram_count, 2);
    CHECK_EQ(last_config.ram_size[0] + last_config.ram_size[1], 64 * MIB + 4096);
    CHECK_EQ(last_config.memory, 64 * MIB + 4096);
    CHECK_EQ(zeroed, 3); /* both pieces of RAM and the statistics */
    /* kernel, ring, statistics, console, two of RAM, two scheduling contexts */
    CHECK_EQ(last_cap_count, 8);
}

TEST(missing_image)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    snprintf(vm->def.kernel.path, sizeof(vm->def.kernel.path), "gone");
    const char *why = vm_input(vm, VM_IN_START);
    CHECK(why && strstr(why, "alpha.xml:7: gone is not in the VM set"));
    CHECK_EQ(vm->state, VM_SHUTOFF);
    CHECK(balanced(vm));
}

TEST(memory_that_does_not_fit)
{
    setup();
    struct vm *vm = add("alpha", 300 * MIB), *other = add("beta", 300 * MIB);
    CHECK(!vm_input(vm, VM_IN_START));
    const char *why = vm_input(other, VM_IN_START);
    CHECK(why && strstr(why, "beta.xml") && strstr(why, "do not fit"));
    CHECK_EQ(vm->state, VM_STARTING);
    CHECK_EQ(other->state, VM_SHUTOFF);
    vm_input(vm, VM_IN_DESTROY);
    CHECK(balanced(vm));
}

TEST(spawn_failure_gives_everything_back)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    spawn_why = "no luck";
    CHECK(strstr(vm_input(vm, VM_IN_START), "no luck"));
    CHECK(balanced(vm));
    CHECK(!vm_active());
}

TEST(kernel_memory_that_does_not_grow)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    kmem_limit = 4096;
    CHECK(strstr(vm_input(vm, VM_IN_START), "kernel memory does not grow"));
    CHECK_EQ(physmem_stats(0).total, 510 * MIB); /* one block was donated, no more */
}

/* The VMM that reports is waiting for its answer: it is not ended under the call. */
TEST(poweroff_waits_for_the_answer)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    vm_input(vm, VM_IN_START);
    vm_event(vm, VMM_EVENT_POWEROFF, "");
    CHECK(vm->vmm.alive && vm_has_pending());
    vm_event(vm, VMM_EVENT_CRASH, "later"); /* the first reason counts */
    vm_run_pending();
    CHECK(!vm_has_pending());
    CHECK_EQ(vm->state, VM_SHUTOFF);
    CHECK(!strcmp(vm->reason, "powered off"));
    CHECK(balanced(vm));
}

TEST(reboot_is_a_new_run)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    vm_input(vm, VM_IN_START);
    uint64_t id = vm->id;
    vm_event(vm, VMM_EVENT_RESET, "");
    vm_run_pending();
    CHECK_EQ(vm->state, VM_STARTING);
    CHECK(vm->id > id && vm_by_badge(vm->id) == vm && !vm_by_badge(id));
    CHECK_EQ(vm->run, 2);
    CHECK_EQ(spawned - ended, 1);
}

TEST(crash_reason_is_logged_and_cleaned)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    vm_input(vm, VM_IN_START);
    vm_event(vm, VMM_EVENT_CRASH, "triple fault\nRIP \x1b[2J1000");
    vm_run_pending();
    CHECK(strstr(logged, "alpha: crashed: triple fault\nalpha: RIP ?[2J1000\n"));
    CHECK_EQ(vm->state, VM_SHUTOFF);
}

TEST(crash_restarts_with_growing_pauses)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    vm->def.on_crash = ACTION_RESTART;
    vm_input(vm, VM_IN_START);
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        vm_event(vm, VMM_EVENT_CRASH, "");
        vm_run_pending();
        CHECK_EQ(vm->state, VM_WAITING);
        CHECK(balanced(vm));
        uint64_t pause = vm->start_at - now_tsc;
        CHECK(pause > last || pause == 60000000000ull);
        last = pause;
        CHECK_EQ(vm_tick(now_tsc), vm->start_at);
        CHECK_EQ(vm->state, VM_WAITING);
        now_tsc = vm->start_at;
        CHECK_EQ(vm_tick(now_tsc), 0);
        CHECK_EQ(vm->state, VM_STARTING);
    }
    CHECK_EQ(last, 60000000000ull);
}

TEST(dead_vmm_takes_down_its_guest_only)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB), *other = add("beta", 64 * MIB);
    vm_input(vm, VM_IN_START);
    vm_input(other, VM_IN_START);
    vm_check_health();
    CHECK_EQ(vm->state, VM_STARTING);
    dead_vmm = &vm->vmm;
    vm_check_health();
    CHECK_EQ(vm->state, VM_SHUTOFF);
    CHECK_EQ(other->state, VM_STARTING);
    CHECK(strstr(logged, "alpha: its VMM ended: it exited"));
    dead_vmm = NULL;
    vmm_health = PROGRAM_FAULTED;
    vm_check_health();
    CHECK_EQ(other->state, VM_SHUTOFF);
    CHECK(strstr(logged, "vmm:beta: fault"));
}

TEST(preserve_keeps_the_vmm)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    vm->def.on_crash = ACTION_PRESERVE;
    vm_input(vm, VM_IN_START);
    vm_event(vm, VMM_EVENT_CRASH, "");
    vm_run_pending();
    CHECK_EQ(vm->state, VM_CRASHED);
    CHECK(vm->vmm.alive);
    CHECK(vm_input(vm, VM_IN_RESUME));
    CHECK(!vm_input(vm, VM_IN_DESTROY));
    CHECK(balanced(vm));
}

TEST(boot_order_and_delays)
{
    setup();
    struct vm *a = add("a", 16 * MIB), *b = add("b", 16 * MIB), *c = add("c", 16 * MIB);
    b->def.start_order = 1;
    b->def.start_delay_ms = 10;
    a->def.start_delay_ms = 5;
    c->def.autostart = false;
    now_tsc = 1000;
    vm_schedule_boot();
    CHECK(b->start_at < a->start_at);
    CHECK_EQ(a->start_at - b->start_at, 5000001);
    CHECK_EQ(vm_active(), 2);
    CHECK_EQ(vm_tick(now_tsc), b->start_at);
    now_tsc += 10000001;
    CHECK_EQ(vm_tick(now_tsc), a->start_at);
    CHECK_EQ(b->state, VM_STARTING);
    CHECK_EQ(a->state, VM_WAITING);
    now_tsc += 5000001;
    CHECK_EQ(vm_tick(now_tsc), 0);
    CHECK_EQ(a->state, VM_STARTING);
    CHECK_EQ(c->state, VM_SHUTOFF);
}

TEST(a_stopping_host_restarts_nothing)
{
    setup();
    struct vm *vm = add("alpha", 64 * MIB);
    vm_input(vm, VM_IN_START);
    vm_host.stopping = true;
    vm_event(vm, VMM_EVENT_RESET, "");
    vm_run_pending();
    CHECK_EQ(vm->state, VM_SHUTOFF);
    CHECK(vm_input(vm, VM_IN_START));
    vm->state = VM_WAITING;
    vm->start_at = 0;
    CHECK_EQ(vm_tick(now_tsc), 0);
    CHECK_EQ(vm->state, VM_SHUTOFF);
}

TEST(cpus_are_spread_and_limited)
{
    setup();
    struct vm *vm = add("alpha", 16 * MIB), *other = add("beta", 16 * MIB);
    vm_input(vm, VM_IN_START);
    vm_input(other, VM_IN_START);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(load[i], 1);
    vm_input(other, VM_IN_DESTROY);
    other->def.tune.cpuset_line = 3;
    other->def.tune.cpuset.word[0] = 1;
    CHECK(!vm_input(other, VM_IN_START));
    CHECK_EQ(load[0], 3);
    vm_input(other, VM_IN_DESTROY);
    other->def.tune.cpuset.word[0] = 1 << 9;
    CHECK(strstr(vm_input(other, VM_IN_START),
                 "beta.xml:3: <domain/vcpu>: this host has CPUs 0-3, none of 9"));
}

TEST(parameters_reach_the_contexts)
{
    setup();
    struct vm *vm = add("alpha", 16 * MIB);
    struct tune *t = &vm->def.tune;
    t->shares = 2048;
    t->each = (struct tune_limit){.quota = 50000};
    t->vcpu[1] = (struct tune_thread){.scheduler = TUNE_FIFO, .priority = 99, .sched_line = 4};
    t->vcpu[1].pin.word[0] = 4;
    t->vcpu[1].pin_line = 5;
    CHECK(!vm_input(vm, VM_IN_START));
    const struct sc_params *a = &told[vm->sc[0]], *b = &told[vm->sc[1]], *e = &told[11];
    CHECK(a->class == SC_SHARED && a->weight == 1024 && a->priority == 0);
    CHECK(a->budget_us == 50000 && a->period_us == 100000 && a->affinity[0] == 0xf);
    CHECK(b->class == SC_FIXED && b->weight == 0 && b->affinity[0] == 4);
    CHECK(b->priority > SC_PRIORITY_SYSTEM && b->priority < SC_PRIORITY_SYSTEM + TUNE_PRIORITIES);
    CHECK(e->class == SC_SHARED && e->weight == 512 && !e->budget_us);
    used_tsc = 7;
    CHECK_EQ(vm_run_time_ns(vm), 21);
    vm_input(vm, VM_IN_DESTROY);
    CHECK_EQ(vm->cpu_time_ns, 21);
    CHECK(balanced(vm));
    used_tsc = 0;
}

TEST(reservation_that_the_host_cannot_promise)
{
    setup();
    struct vm *vm = add("alpha", 16 * MIB);
    for (uint32_t i = 0; i < 2; i++)
        vm->def.tune.vcpu[i] =
            (struct tune_thread){.budget_us = 400, .period_us = 1000, .reserve_line = 9};
    promisable = 300000;
    CHECK(
        strstr(vm_input(vm, VM_IN_START),
               "alpha.xml:9: <domain/metadata/mullion:reservation>: vCPU 0 needs 40.0 % of a CPU; "
               "of CPUs 0-3 even the least reserved has promised 65.0 % of 95 %"));
    CHECK(balanced(vm));
    promisable = 1000000;
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK(told[vm->sc[1]].class == SC_RESERVED && told[vm->sc[1]].budget_us == 400);
}

static const char *edit_values(struct tune *tune, const void *context)
{
    return tune_edit_values(tune, context);
}
static const char *edit_pin_of(struct tune *tune, const void *context)
{
    return tune_edit_pin(tune, context);
}

static const char *set_value(struct vm *vm, uint32_t flags, uint32_t which, int64_t value)
{
    struct mgr_tune_set set = {.count = 1, .change[0] = {.which = which, .value = value}};
    return vm_change_tune(vm, flags, edit_values, &set);
}

static const char *pin(struct vm *vm, uint32_t vcpu, const char *list)
{
    struct mgr_pin_set set = {.vcpu = vcpu};
    snprintf(set.list, sizeof(set.list), "%s", list);
    return vm_change_tune(vm, 0, edit_pin_of, &set);
}

TEST(changes_while_it_runs)
{
    setup();
    struct vm *vm = add("alpha", 16 * MIB);
    CHECK(strstr(set_value(vm, MGR_TUNE_LIVE, MGR_TUNE_CPU_SHARES, 100), "not running"));
    CHECK(!set_value(vm, 0, MGR_TUNE_CPU_SHARES, 4096)); /* off: the definition */
    CHECK_EQ(vm->def.tune.shares, 4096);
    vm_input(vm, VM_IN_START);
    CHECK_EQ(told[vm->sc[0]].weight, 2048);
    CHECK(!set_value(vm, 0, MGR_TUNE_CPU_SHARES, 100));
    CHECK(told[vm->sc[0]].weight == 50 && vm->def.tune.shares == 4096);
    int before = params_set;
    CHECK(!set_value(vm, 0, MGR_TUNE_VCPU_QUOTA, 25000));
    CHECK_EQ(params_set - before, 2); /* not the emulator's */
    CHECK_EQ(told[vm->sc[1]].budget_us, 25000);
    CHECK(!set_value(vm, 0, MGR_TUNE_VCPU_QUOTA, -1) && !told[vm->sc[1]].budget_us);
    CHECK(strstr(set_value(vm, 0, MGR_TUNE_VCPU_PERIOD, 999),
                 "value of 'vcpu_period' is out of range [1000, 1000000]"));
    CHECK(strstr(set_value(vm, 0, MGR_TUNE_CPU_SHARES, 1), "[2, 262144]"));
    CHECK(strstr(set_value(vm, 0, MGR_TUNES, 1), "no such parameter"));
    CHECK(!set_value(vm, MGR_TUNE_CONFIG, MGR_TUNE_CPU_SHARES, 3));
    CHECK(vm->def.tune.shares == 3 && vm->tune.shares == 100);
    CHECK(!pin(vm, 0, "1-2") && told[vm->sc[0]].affinity[0] == 6);
    CHECK(!pin(vm, MGR_PIN_EMULATOR, "3") && told[11].affinity[0] == 8);
    CHECK(!pin(vm, 0, "r") && told[vm->sc[0]].affinity[0] == 0xf);
    CHECK(strstr(pin(vm, 2, "0"), "vcpu 2 is out of range of live cpu count 2"));
    CHECK(strstr(pin(vm, 1, "4-7"), "this host has CPUs 0-3, none of 4-7"));
    CHECK(strstr(pin(vm, 1, "x"), "Failed to parse bitmap 'x'"));
    CHECK(strstr(pin(vm, 1, "1,^1"), "Failed to parse"));
}

TEST(a_change_is_all_or_nothing)
{
    setup();
    struct vm *vm = add("alpha", 16 * MIB);
    vm->def.tune.vcpu[1] =
        (struct tune_thread){.budget_us = 400, .period_us = 1000, .reserve_line = 9};
    vm_input(vm, VM_IN_START);
    struct sc_params was = told[vm->sc[0]];
    struct mgr_tune_set set = {.count = 2,
                               .change = {{.which = MGR_TUNE_CPU_SHARES, .value = 77},
                                          {.which = MGR_TUNE_VCPU_QUOTA, .value = 30000}}};
    CHECK(strstr(vm_change_tune(vm, 0, edit_values, &set),
                 "vCPU 1 is promised 400 us every 1000 us, but <quota> allows it only 30000 us"));
    CHECK(!vm->tune.shares && !memcmp(&told[vm->sc[0]], &was, sizeof(was)));
    promisable = 0; /* vCPU 0 is changed, vCPU 1 refused, vCPU 0 changed back */
    vm->tune.cpuset_line = 1;
    vm->tune.cpuset.word[0] = 3;
    struct tune next = vm->tune;
    next.cpuset.word[0] = 1;
    int before = params_set;
    CHECK(strstr(apply(vm, &next), "needs 40.0 %"));
    CHECK_EQ(params_set - before, 2);
    CHECK(told[vm->sc[0]].affinity[0] == 3 && vm->tune.cpuset.word[0] == 3);
    promisable = 1000000;
}

TEST(memory_of_given_nodes_only)
{
    setup();
    physmem_add(7, 1024 * MIB, 256 * MIB, 1);
    struct vm *vm = add("alpha", 200 * MIB), *other = add("beta", 100 * MIB);
    vm->def.tune.numa = other->def.tune.numa = TUNE_NUMA_STRICT;
    vm->def.tune.nodes = other->def.tune.nodes = 2;
    other->def.tune.numa_line = 6;
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK(vm->ram_count == 1 && vm->ram[0].node == 1);
    CHECK(strstr(vm_input(other, VM_IN_START),
                 "beta.xml:6: <domain/numatune/memory>: 102400 KiB do not fit on nodes 1; "));
    CHECK(strstr(other->reason, "KiB are free there"));
    other->def.tune.numa = TUNE_NUMA_PREFERRED;
    CHECK(!vm_input(other, VM_IN_START));
    CHECK_EQ(other->ram[0].node, 1);
    CHECK_EQ(other->ram[other->ram_count - 1].node, 0);
}

TEST(a_set_is_bounded)
{
    setup();
    for (uint32_t i = 0; i < VMS_MAX; i++)
        CHECK(add("x", MIB));
    CHECK(!add("x", MIB));
}
