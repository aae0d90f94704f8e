/* SPDX-License-Identifier: BSD-2-Clause */
/* The manager's virtual machines over faked system calls, a faked spawner and a faked disk
 * controller. */
#ifndef TESTS_UNIT_FAKE_MANAGER_H
#define TESTS_UNIT_FAKE_MANAGER_H

#include "tests/unit/test.h"
#include "tests/unit/fake/time.h"
#include <stdarg.h>
#include <stdint.h>
#define USER_SYSCALL_STUBS_H

static uint64_t sent_bits[4096];
static uint32_t next_slot = 200, slots_used;
static _Alignas(4096) uint8_t window_memory[64 << 20];

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
static int64_t sys_sc_create(uint32_t dst, uint32_t from, uint32_t cpu, uint32_t priority,
                             uint64_t budget_us, uint64_t period_us);
static int64_t sys_sc_payer(uint32_t sc, uint32_t payer, uint32_t pays);
static int64_t sys_sc_params(uint32_t sc, uint64_t *promised_ppm);
static int64_t sys_sc_info(uint32_t sc);
static int64_t sys_machine_donate(uint32_t machine, uint32_t mem)
{
    (void)machine, (void)mem;
    return 0;
}

#include "user/program.h"
#include "abi/thread.h"
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
/* What the kernel was told last of each context; at most `promisable` of a promise are taken. */
static struct sc_params told[4096];
static uint32_t payer_of[4096];
static int params_set;
static uint64_t promisable = 1000000, used_tsc;
static int64_t sys_sc_create(uint32_t dst, uint32_t from, uint32_t cpu, uint32_t priority,
                             uint64_t budget_us, uint64_t period_us)
{
    (void)from, (void)cpu, (void)priority, (void)budget_us, (void)period_us;
    memset(&told[dst], 0, sizeof(told[dst]));
    payer_of[dst] = 0;
    return 0;
}
static int64_t sys_sc_payer(uint32_t sc, uint32_t payer, uint32_t pays)
{
    (void)pays;
    payer_of[sc] = payer;
    return 0;
}
static int64_t sys_sc_params(uint32_t sc, uint64_t *promised_ppm)
{
    struct sc_params p;
    memcpy(&p, the_utcb.mr, sizeof(p));
    *promised_ppm = 650000;
    if (p.class == SC_RESERVED && p.budget_us * 1000000 / p.period_us > promisable)
        return -12;
    told[sc] = p;
    params_set++;
    return 0;
}
static int64_t sys_sc_info(uint32_t sc)
{
    (void)sc;
    memset(the_utcb.mr, 0, sizeof(struct sc_info));
    ((struct sc_info *)the_utcb.mr)->used_tsc = used_tsc;
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
    program->sc = 11;
    told[11] = *request->params;
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

#include "manager/storage/ahci.h"
#include "manager/storage/pool.h"
#include "manager/storage/volume.h"
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
int64_t ahci_let_reach(const struct ahci *a, const struct mem_block *blocks, uint32_t n)
{
    (void)a, (void)blocks, (void)n;
    return 0;
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

/* No pools here. */
struct pool_server *pool_by_name(const char *name)
{
    (void)name;
    return NULL;
}
const char *pool_open_client(struct pool_server *pool, const struct pool_open *open,
                             struct pool_client **client)
{
    (void)pool, (void)open, (void)client;
    return "no pools";
}
void pool_start_client(struct pool_server *pool, struct pool_client *client)
{
    (void)pool, (void)client;
}
bool pool_close_all(const void *owner)
{
    (void)owner;
    return false;
}
bool pool_searching(void)
{
    return false;
}
bool pool_is_closing(void)
{
    return false;
}

#include "manager/host/numa.c"
#define why_text pool_text
#include "manager/host/cpupool.c"
#undef why_text
#include "manager/host/cpus.c"
#include "manager/host/physmem.c"
#include "manager/storage/channel.c"
#include "manager/storage/ahci_calls.c"
#include "manager/guest/vm_disks.c"
#include "lib/sha256.c"
#define count network_count_of
#include "manager/network/network.c"
#undef count
#include "tests/unit/fake/netport.h"
#include "manager/guest/vm_nets.c"
#include "manager/guest/lifecycle.c"
#define fail launch_fail
#include "manager/guest/vm_launch.c"
#undef fail
#include "lib/cpulist.c"
#include "manager/definition/domain_value.c"
#include "manager/definition/tune.c"
#define why_text edit_text
#include "manager/guest/tune_edit.c"
#undef why_text
#define why_text sched_text
#include "manager/guest/vm_sched.c"
#undef why_text
#include "manager/guest/vm_stats.c"
#define count vm_count_of
#include "manager/guest/vm.c"
#undef count

#define MIB (1ull << 20)

static struct vm *add(const char *name, uint64_t memory_bytes)
{
    struct domain d = {.vcpus = 2,
                       .tune.vcpus = 2,
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

#endif
