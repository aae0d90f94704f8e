/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/root.h"

#include "abi/kinfo.h"
#include "arch/x86_64/klog.h"
#include "boot/bootinfo.h"
#include "kernel/ports.h"
#include "kernel/sys_thread.h"

#define ROOT_PRIORITY 48u

static struct pd *root;

static void must(int64_t status, const char *what)
{
    if (status != OK)
        panic("the root task cannot be started: %s (%lld)", what, (long long)status);
}

/* Puts a new object that the kernel made into the root task's table. */
static struct cap *give(uint64_t slot, struct obj *obj, uint32_t rights)
{
    must(cap_insert(root, slot, obj, rights, 0, NULL), "capability");
    return cap_lookup(root, slot);
}

static struct cap *give_memory(uint64_t slot, uint64_t base, uint64_t size, bool device,
                               uint32_t rights)
{
    int64_t status;
    struct mem *mem = obj_create(root, OBJ_MEM, sizeof(*mem), &status);
    must(status, "memory object");
    mem->base = hpa(base);
    mem->size = size;
    mem->device = device;
    return give(slot, &mem->obj, rights);
}

static void give_all_memory(const struct root_info *info)
{
    for (uint32_t i = 0; i < info->mem_count; i++) {
        const struct root_mem *m = &info->mem[i];
        uint32_t rights = m->kind == ROOT_MEM_FIRMWARE ? RIGHT_COPY | RIGHT_READ : RIGHT_ALL;
        if (m->kind == ROOT_MEM_MMIO)
            rights &= ~RIGHT_EXEC;
        give_memory(SLOT_ROOT_MEM + i, m->base, m->size, m->kind == ROOT_MEM_MMIO, rights);
    }
}

static struct cap *memory_cap(const struct root_info *info, uint64_t base, uint64_t size)
{
    for (uint32_t i = 0; i < info->mem_count; i++)
        if (info->mem[i].base <= base && base + size <= info->mem[i].base + info->mem[i].size)
            return cap_lookup(root, SLOT_ROOT_MEM + i);
    panic("the root task cannot be started: memory at %#llx is not in the map",
          (unsigned long long)base);
}

/* A part that the boot program has loaded into one of the root task's capabilities. */
static void map(const struct root_info *info, const struct root_part *part)
{
    struct cap *cap = memory_cap(info, part->pa, part->size);
    const struct mem *mem = (const struct mem *)cap->obj;
    must(space_map(&root->space, cap, part->va, part->pa - mem->base.v, part->size, part->flags),
         "mapping");
}

static void give_authority(struct thread *thread, struct sc_object *sc)
{
    int64_t status;
    give(SLOT_SELF_PD, &root->obj, RIGHT_ALL);
    give(SLOT_SELF_THREAD, &thread->obj, RIGHT_ALL);
    give(SLOT_SELF_SC, &sc->obj, RIGHT_ALL);
    struct obj *machine = obj_create(root, OBJ_MACHINE, sizeof(*machine), &status);
    must(status, "machine");
    give(SLOT_MACHINE, machine, RIGHT_ALL);
    struct ports *ports = obj_create(root, OBJ_PORTS, sizeof(*ports), &status);
    must(status, "ports");
    ports->count = 0x10000;
    give(SLOT_PORTS, &ports->obj, RIGHT_ALL);
}

void root_start(const struct bootinfo *boot)
{
    const struct root_task *task = &boot->root;
    root = pd_create_root(kmem_available());
    must(root ? OK : ERR_NOMEM, "domain");
    spin_lock(&object_lock);
    int64_t status;
    struct thread *thread = thread_new(root, root, ROOT_UTCB_VA, &status);
    must(status, "thread");
    struct sc_object *sc = sc_new(root, 0, ROOT_PRIORITY, 0, 0, &status);
    must(status, "scheduling context");
    give_authority(thread, sc);
    give_all_memory(&task->info);
    for (uint32_t i = 0; i < task->count; i++)
        map(&task->info, &task->part[i]);
    thread_set_entry(thread, task->entry, ROOT_STACK_TOP - 8, ROOT_INFO_VA);
    thread->state = THREAD_READY;
    sc_bind(sc, thread);
    spin_unlock(&object_lock);
}
