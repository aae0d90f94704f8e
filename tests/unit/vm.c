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
    CHECK(last_config.host_cpu[0] != last_config.host_cpu[1]);
    CHECK_EQ(last_config.kernel.size, 5000);
    CHECK_EQ(last_config.ram_count, 2);
    CHECK_EQ(last_config.ram_size[0] + last_config.ram_size[1], 64 * MIB + 4096);
    CHECK_EQ(last_config.memory, 64 * MIB + 4096);
    CHECK_EQ(zeroed, 3);         /* both pieces of RAM and the statistics */
    CHECK_EQ(last_cap_count, 6); /* kernel, ring, statistics, console, two of RAM */
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
    other->def.has_cpuset = true;
    other->def.cpuset[0] = 1;
    CHECK(!vm_input(other, VM_IN_START));
    CHECK_EQ(load[0], 3);
    vm_input(other, VM_IN_DESTROY);
    other->def.cpuset[0] = 1 << 9;
    CHECK(strstr(vm_input(other, VM_IN_START), "none of the CPUs"));
}

TEST(a_set_is_bounded)
{
    setup();
    for (uint32_t i = 0; i < VMS_MAX; i++)
        CHECK(add("x", MIB));
    CHECK(!add("x", MIB));
}
