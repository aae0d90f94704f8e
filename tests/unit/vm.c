/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of virtual machines over faked system calls and a faked spawner: what is started, what
 * is taken back, in which order, and that the accounts balance. */
#include "test.h"
#include <stdarg.h>
#include <stdint.h>
#define USER_SYSCALL_STUBS_H

static uint64_t now_tsc = 1000, sent_bits[4096];
static uint32_t next_slot = 200, slots_used;
static uint8_t window_memory[64 << 20];

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
    return block->size <= sizeof(window_memory) ? window_memory : NULL;
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

#include "manager/ahci.h"
#include "manager/volume.h"
static struct ahci controller;
static struct ahci_status disk_status;
static uint32_t controllers;
static int jobs_told;
static bool searching, mastering;
uint32_t ahci_count(void)
{
    return controllers;
}
struct ahci *ahci_at(uint32_t index)
{
    return index < controllers ? &controller : NULL;
}
void ahci_job(struct ahci *a)
{
    jobs_told += a == &controller;
}
void hostpci_master(const struct pci_device *device, bool on)
{
    (void)device;
    mastering = on;
}
bool volume_searching(uint64_t now)
{
    (void)now;
    return searching;
}
/* "/first" and "/second" are halves of a disk, "/disk" is all of it, "/rom" cannot be written. */
const char *volume_find(const char *path, struct volume *volume, char reason[VOLUME_REASON])
{
    *volume = (struct volume){.ahci = &controller, .port = 1, .sectors = 1000};
    volume->disk = disk_status.disk[1];
    volume->read_only = !strcmp(path, "/rom");
    if (!strcmp(path, "/disk"))
        volume->sectors = 2000;
    else if (!strcmp(path, "/second"))
        volume->first_sector = 1000;
    else if (strcmp(path, "/first") && strcmp(path, "/rom")) {
        snprintf(reason, VOLUME_REASON, "%s: there is none", path);
        return reason;
    }
    return NULL;
}

#include "manager/physmem.c"
#include "manager/cpus.c"
#include "manager/channel.c"
#include "manager/ahci_calls.c"
#include "manager/vm_disks.c"
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
    memset(&controller, 0, sizeof(controller));
    memset(&disk_status, 0, sizeof(disk_status));
    disk_status.disk[1] = (struct ahci_disk){
        .kind = AHCI_DISK_ATA,
        .state = AHCI_DISK_READY,
        .geometry = {.sectors = 2000, .block_size = 512, .serial = "QM1", .model = "QEMU"}};
    controller.status = &disk_status;
    controller.ports_known = true;
    controllers = 1;
    controller.notif = 20;
    jobs_told = 0;
    searching = false;
}

/* Rings stay with the definition, all else comes back. */
static int balanced(const struct vm *vm)
{
    uint64_t bytes = 0;
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < vm_count_of; i++) {
        bytes += vms[i]->rings.size;
        blocks += vms[i]->rings.slot != 0;
    }
    return physmem_free_bytes() == 512 * MIB - bytes && physmem_blocks() == blocks &&
           slots_used == blocks && !vm->id && !load[0] && !load[1] && !load[2] && !load[3];
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

static struct vm *add_disk(struct vm *vm, const char *path, bool read_only)
{
    struct domain_disk *disk = &vm->def.disk[vm->def.disk_count++];
    *disk = (struct domain_disk){.line = 30, .read_only = read_only};
    disk->source_type = *path == '/' ? DISK_SOURCE_BLOCK : DISK_SOURCE_FILE;
    snprintf(disk->source.path, sizeof(disk->source.path), "%s", path);
    snprintf(disk->target, sizeof(disk->target), "vd%c", 'a' + (char)vm->def.disk_count - 1);
    disk->source.line = 31;
    return vm;
}

/* The driver asks what there is to do, and says that it is done. */
static uint64_t driver_works(void)
{
    uint64_t done = 0, words;
    for (;;) {
        the_utcb.mr[0] = AHCI_EVENT_NEXT;
        words = ahci_serve(&controller, &the_utcb, 1);
        if (the_utcb.mr[1] == AHCI_JOB_NONE)
            return done;
        if (the_utcb.mr[1] == AHCI_JOB_ATTACH && words >> 32 != 2)
            return 1000;
        the_utcb.mr[0] = AHCI_EVENT_DONE;
        the_utcb.mr[3] = AHCI_REFUSED_NOT;
        ahci_serve(&controller, &the_utcb, 4);
        if (the_utcb.mr[0] != OK)
            return 2000;
        done++;
    }
}

TEST(disk_is_attached_and_given_back)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    for (int i = 0; i < 100; i++) {
        CHECK(!vm_input(vm, VM_IN_START));
        CHECK_EQ(vm->state, VM_STARTING);
        CHECK_EQ(last_config.disk_count, 1);
        CHECK_EQ(last_config.disk[0].backing, VMM_DISK_CHANNEL);
        CHECK_EQ(last_config.disk[0].driver_bits, AHCI_BIT_CHANNEL(0));
        CHECK_EQ(last_cap_count, 7); /* kernel, ring, statistics, console, RAM, two of the disk */
        CHECK_EQ(driver_works(), 1);
        CHECK_EQ(controller.channel[0].state, CHANNEL_ATTACHED);
        CHECK_EQ(controller.channel[0].attach.memory[0].size, 64 * MIB);
        vm_input(vm, VM_IN_DESTROY);
        /* The driver may still be writing into it. */
        CHECK(vm->draining && physmem_free_bytes() < 448 * MIB && vm_active() == 1);
        CHECK(!vm_input(vm, VM_IN_START));
        CHECK_EQ(vm->state, VM_WAITING);
        CHECK_EQ(driver_works(), 1);
        vm_tick(now_tsc);
        CHECK_EQ(vm->state, VM_STARTING);
        CHECK_EQ(driver_works(), 1);
        vm_input(vm, VM_IN_DESTROY);
        CHECK_EQ(driver_works(), 1);
        vm_tick(now_tsc);
        CHECK(balanced(vm) && !vm_active());
    }
}

TEST(disk_of_a_guest_that_ends_before_its_driver_heard_of_it)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    vm_input(vm, VM_IN_START);
    vm_input(vm, VM_IN_DESTROY);
    CHECK(balanced(vm) && !vm->draining);
    vm_input(vm, VM_IN_START);
    the_utcb.mr[0] = AHCI_EVENT_NEXT;
    ahci_serve(&controller, &the_utcb, 1);
    vm_input(vm, VM_IN_DESTROY); /* between being told and being done */
    CHECK(vm->draining);
    the_utcb.mr[0] = AHCI_EVENT_DONE;
    the_utcb.mr[1] = AHCI_JOB_ATTACH;
    the_utcb.mr[2] = the_utcb.mr[3] = 0;
    ahci_serve(&controller, &the_utcb, 4);
    CHECK_EQ(the_utcb.mr[0], OK);
    CHECK_EQ(driver_works(), 1);
    vm_tick(now_tsc);
    CHECK(balanced(vm));
}

TEST(driver_dies)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    struct vm *other = add_disk(add("beta", 64 * MIB), "/second", false);
    vm_input(vm, VM_IN_START);
    vm_input(other, VM_IN_START);
    CHECK_EQ(driver_works(), 2);
    vm_input(other, VM_IN_DESTROY);
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++)
        channel_driver_died(&controller.channel[i]);
    vm_tick(now_tsc);
    CHECK(!other->draining && vm->state == VM_STARTING);
    CHECK_EQ(driver_works(), 1); /* alpha's, again */
    /* Another disk in the port does not get its channel; when the disk is back, it does. */
    channel_driver_died(&controller.channel[0]);
    disk_status.disk[1].geometry.serial[0] = 'X';
    CHECK_EQ(driver_works(), 0);
    disk_status.disk[1].geometry.serial[0] = 'Q';
    the_utcb.mr[0] = AHCI_EVENT_DISKS;
    jobs_told = 0;
    ahci_serve(&controller, &the_utcb, 1);
    CHECK_EQ(jobs_told, 1);
    CHECK_EQ(driver_works(), 1);
    vm_input(vm, VM_IN_DESTROY);
    driver_works();
    vm_tick(now_tsc);
}

TEST(volumes_have_one_writer)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 16 * MIB), "/first", false);
    struct vm *same = add_disk(add("same", 16 * MIB), "/first", false);
    struct vm *all = add_disk(add("all", 16 * MIB), "/disk", true);
    struct vm *second = add_disk(add("second", 16 * MIB), "/second", false);
    vm_input(vm, VM_IN_START);
    const char *why = vm_input(same, VM_IN_START);
    CHECK(why && strstr(why, "same.xml:31: <domain/devices/disk/source>: /first, or a part of it, "
                             "is in use by alpha vda"));
    CHECK(strstr(vm_input(all, VM_IN_START), "in use by alpha vda"));
    CHECK(!vm_input(second, VM_IN_START));
    CHECK_EQ(same->state, VM_SHUTOFF);
    vm_input(vm, VM_IN_DESTROY);
    vm_input(second, VM_IN_DESTROY);
    /* Readers share. */
    vm->def.disk[0].read_only = same->def.disk[0].read_only = true;
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK(!vm_input(same, VM_IN_START));
    CHECK(!vm_input(all, VM_IN_START));
    CHECK(last_config.disk[0].read_only);
    CHECK(strstr(vm_input(second, VM_IN_START), "in use by"));
    vm_input(vm, VM_IN_DESTROY);
    vm_input(same, VM_IN_DESTROY);
    vm_input(all, VM_IN_DESTROY);
    /* Nor does one guest get a volume twice. */
    add_disk(second, "/second", false);
    CHECK(strstr(vm_input(second, VM_IN_START), "in use by second vda"));
    CHECK(balanced(vm));
}

TEST(volumes_that_cannot_be_had)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 16 * MIB), "/none", false);
    struct vm *rom = add_disk(add("rom", 16 * MIB), "/rom", false);
    CHECK(strstr(vm_input(vm, VM_IN_START), "alpha.xml:31: <domain/devices/disk/source>: /none: "
                                            "there is none"));
    CHECK(strstr(vm_input(rom, VM_IN_START), "cannot be written"));
    searching = true; /* it may yet come */
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(vm->state, VM_WAITING);
    vm_tick(now_tsc);
    CHECK_EQ(vm->state, VM_WAITING);
    searching = false;
    vm_tick(now_tsc);
    CHECK_EQ(vm->state, VM_SHUTOFF);
    CHECK(balanced(vm));
}

TEST(lies_of_a_driver)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    struct ahci_disk disk;
    vm_input(vm, VM_IN_START);
    the_utcb.mr[0] = AHCI_EVENT_DONE;
    the_utcb.mr[1] = AHCI_JOB_DETACH; /* it was never attached */
    the_utcb.mr[2] = the_utcb.mr[3] = 0;
    ahci_serve(&controller, &the_utcb, 4);
    CHECK_EQ((int64_t)the_utcb.mr[0], ERR_ARG);
    the_utcb.mr[0] = AHCI_EVENT_DONE;
    the_utcb.mr[2] = UINT64_MAX;
    ahci_serve(&controller, &the_utcb, 4);
    CHECK_EQ((int64_t)the_utcb.mr[0], ERR_ARG);
    the_utcb.mr[0] = AHCI_EVENT_FAILED;
    memset(&the_utcb.mr[AHCI_PAYLOAD], 0x1b, 2000);
    ahci_serve(&controller, &the_utcb, 300);
    CHECK(strstr(logged, "????") && !strchr(logged, 0x1b));
    CHECK(ahci_read_disk(&controller, 1, &disk));
    disk_status.disk[1].geometry.block_size = 3;
    CHECK(!ahci_read_disk(&controller, 1, &disk));
    disk_status.disk[1].geometry.block_size = 4096;
    disk_status.disk[1].geometry.sectors = 2001;
    CHECK(!ahci_read_disk(&controller, 1, &disk));
    disk_status.disk[1].geometry.sectors = 2000;
    memset(disk_status.disk[1].geometry.model, 'x', sizeof(disk.geometry.model));
    CHECK(ahci_read_disk(&controller, 1, &disk));
    CHECK_EQ(strlen(disk.geometry.model), sizeof(disk.geometry.model) - 1);
    disk_status.sequence = 1; /* for ever being written */
    CHECK(!ahci_read_disk(&controller, 1, &disk));
    CHECK(!ahci_read_disk(&controller, 99, &disk));
    vm_input(vm, VM_IN_DESTROY);
    CHECK(balanced(vm));
}

TEST(image_with_an_overlay)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "k", false);
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(last_config.disk[0].backing, VMM_DISK_IMAGE);
    CHECK_EQ(last_config.disk[0].image.size, 5000);
    CHECK_EQ(last_config.disk[0].overlay_size, 4 * 4096); /* header, map, two pages */
    uint64_t base = vm->disk[0].overlay.base;
    vm_input(vm, VM_IN_RUNNING);
    vm_input(vm, VM_IN_REBOOT);
    CHECK_EQ(vm->disk[0].overlay.size, 4 * 4096); /* the next run goes on with it */
    CHECK_EQ(vm->disk[0].overlay.base, base);
    vm_input(vm, VM_IN_DESTROY);
    CHECK_EQ(vm->disk[0].overlay.slot, 0); /* and ends with the guest */
    CHECK(balanced(vm));
    snprintf(vm->def.disk[0].source.path, DOMAIN_PATH, "gone");
    CHECK(strstr(vm_input(vm, VM_IN_START), "gone is not in the VM set"));
    CHECK(balanced(vm));
}
