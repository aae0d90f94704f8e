/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of virtual machines over faked system calls and a faked spawner: what is started, what
 * is taken back, in which order, and that the accounts balance. */
#include "test.h"
#include <stdarg.h>
#include <stdint.h>
#define USER_SYSCALL_STUBS_H

static uint64_t now_tsc = 1000, sent_bits[4096];
static uint32_t next_slot = 200, slots_used;
static uint8_t memory[64 << 20];

static int64_t sys_mem_derive(uint32_t dst, uint32_t src, uint64_t offset, uint64_t size,
                              uint32_t rights)
{
    (void)dst, (void)src, (void)offset, (void)size, (void)rights;
    return 0;
}
static int64_t sys_mem_map(uint32_t space, uint32_t mem, uint64_t address, uint64_t offset,
                           uint64_t size, uint32_t flags)
{
    (void)space, (void)mem, (void)address, (void)offset, (void)size, (void)flags;
    return -5; /* statistics cannot be read: they are not part of this test */
}
static int64_t sys_mem_unmap(uint32_t space, uint64_t address, uint64_t size)
{
    (void)space, (void)address, (void)size;
    return 0;
}
static int64_t sys_cap_revoke(uint32_t src)
{
    (void)src;
    return 0;
}
static int64_t sys_cap_copy(uint32_t pd, uint32_t dst, uint32_t src, uint32_t rights,
                            uint64_t badge)
{
    (void)pd, (void)dst, (void)src, (void)rights, (void)badge;
    return 0;
}
static int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    sent_bits[notif] |= bits;
    return 0;
}
static int64_t sys_pd_info(uint32_t pd);
static int64_t sys_machine_donate(uint32_t machine, uint32_t mem)
{
    (void)machine, (void)mem;
    return 0;
}

#include "user/program.h"
#define utcb_self test_utcb
static struct utcb the_utcb;
static struct utcb *test_utcb(void)
{
    return &the_utcb;
}
static uint64_t kmem_limit = 64 << 20;
static int64_t sys_pd_info(uint32_t pd)
{
    (void)pd;
    the_utcb.mr[0] = 0;
    the_utcb.mr[1] = kmem_limit;
    return 0;
}
uint32_t slot_alloc(void)
{
    slots_used++;
    return next_slot++ % 4000 + 64;
}
void slot_free(uint32_t slot)
{
    slots_used -= slot != 0;
}
uint64_t time_tsc(void)
{
    return now_tsc;
}
uint64_t time_ns(void)
{
    return now_tsc;
}
uint64_t time_ns_to_tsc(uint64_t ns)
{
    return ns;
}
uint64_t time_tsc_to_ns(uint64_t tsc)
{
    return tsc;
}
static char logged[65536];
void log_line(const char *format, ...)
{
    va_list args;
    size_t used = strlen(logged);
    va_start(args, format);
    vsnprintf(logged + used, sizeof(logged) - used, format, args);
    va_end(args);
    strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

#include "manager/spawn.h"
#include "vmm/config.h"

static const char *spawn_why;
static int spawned, ended;
static struct vmm_config last_config;
static uint32_t last_cap_count;
static enum program_health vmm_health;
static const struct program *dead_vmm;

const char *spawn_program(struct program *program, const struct spawn_request *request)
{
    memset(program, 0, sizeof(*program));
    if (spawn_why)
        return spawn_why;
    memcpy(&last_config, request->data, sizeof(last_config));
    last_cap_count = request->cap_count;
    program->alive = true;
    program->notif = 10;
    spawned++;
    return NULL;
}
void program_end(struct program *program)
{
    ended += program->alive;
    program->alive = false;
}
uint64_t program_memory(const struct program *program)
{
    (void)program;
    return 0;
}
enum program_health program_check(const struct program *program, struct thread_info *info)
{
    memset(info, 0, sizeof(*info));
    return program == dead_vmm ? PROGRAM_ENDED : vmm_health;
}
void program_report_fault(const char *name, const struct thread_info *info)
{
    (void)info;
    log_line("%s: fault", name);
}

#include "manager/bootpkg.h"
static struct package_file kernel_file = {.name = "set/k", .size = 5000};
const struct package_file *bootpkg_find(const char *name)
{
    return strcmp(name, "set/k") ? NULL : &kernel_file;
}
uint32_t bootpkg_derive(const struct package_file *file, uint64_t offset, uint64_t size,
                        uint32_t rights)
{
    (void)file, (void)offset, (void)size, (void)rights;
    return slot_alloc();
}
void bootpkg_release(uint32_t slot)
{
    slot_free(slot);
}

#include "manager/window.h"
static int zeroed;
void *window_open(const struct mem_block *block)
{
    return block->size <= sizeof(memory) ? memory : NULL;
}
void window_close(const struct mem_block *block)
{
    (void)block;
}
int64_t window_zero(const struct mem_block *block)
{
    (void)block;
    zeroed++;
    return 0;
}

#include "manager/physmem.c"
#include "manager/cpus.c"
#include "manager/lifecycle.c"
#define fail launch_fail
#include "manager/vm_launch.c"
#undef fail
#include "manager/vm_stats.c"
#define count vm_count_of
#include "manager/vm.c"
#undef count

#define MIB (1ull << 20)

static struct vm *add(const char *name, uint64_t memory_bytes)
{
    struct domain d = {.vcpus = 2,
                       .memory = memory_bytes,
                       .autostart = true,
                       .has_serial = true,
                       .on_reboot = ACTION_RESTART,
                       .start_order = DOMAIN_NO_ORDER};
    snprintf(d.file, sizeof(d.file), "%s.xml", name);
    snprintf(d.name, sizeof(d.name), "%s", name);
    snprintf(d.kernel.path, sizeof(d.kernel.path), "k");
    d.kernel.line = 7;
    return vm_add(&d);
}

static void setup(void)
{
    static const uint32_t nodes[4];
    for (uint32_t i = 0; i < vm_count_of; i++)
        free(vms[i]);
    vm_count_of = 0;
    memset(ranges, 0, sizeof(ranges));
    range_count = block_count = pool_used = 0;
    extents = pool_free = NULL;
    physmem_add(6, 16 * MIB, 512 * MIB, 0);
    cpus_init(4, nodes);
    memset(sent_bits, 0, sizeof(sent_bits));
    memset(&vm_host, 0, sizeof(vm_host));
    vm_host.console_notif = 11;
    spawn_why = NULL;
    spawned = ended = zeroed = 0;
    slots_used = 0;
    vmm_health = PROGRAM_RUNS;
    logged[0] = 0;
    kmem_limit = 64 << 20;
}

/* Rings stay with the definition, all else comes back. */
static int balanced(const struct vm *vm)
{
    return physmem_free_bytes() == 512 * MIB - vm->rings.size &&
           physmem_blocks() == (vm->rings.slot != 0) && slots_used == (vm->rings.slot != 0) &&
           !vm->id && !load[0] && !load[1] && !load[2] && !load[3];
}

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
