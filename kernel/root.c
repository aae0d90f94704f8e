/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/root.h"

#include "abi/kinfo.h"
#include "arch/x86_64/bootmap.h"
#include "arch/x86_64/klog.h"
#include "boot/bootinfo.h"
#include "kernel/ports.h"
#include "kernel/root_elf.h"
#include "kernel/root_mem.h"
#include "kernel/sys_thread.h"
#include "lib/package.h"
#include "lib/string.h"

#define ROOT_PRIORITY 48u

static struct pd *root;
static struct package package;

static void must(int64_t status, const char *what)
{
    if (status != OK)
        panic("the root task cannot be started: %s (%lld)", what, (long long)status);
}

static const void *map_package(const struct bootinfo *info)
{
    if (!info->package_size)
        panic("boot package: missing; the loader brought no module (mullion.pkg)");
    const void *base = boot_map(hpa(info->package_base), info->package_size);
    if (!base)
        panic("boot package: no memory to map its %llu bytes",
              (unsigned long long)info->package_size);
    return base;
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

/* Maps physical memory that lies in one of the root task's capabilities. */
static void map(const struct root_info *info, uint64_t va, uint64_t pa, uint64_t size,
                uint32_t flags)
{
    struct cap *cap = memory_cap(info, pa, size);
    const struct mem *mem = (const struct mem *)cap->obj;
    must(space_map(&root->space, cap, va, pa - mem->base.v, size, flags), "mapping");
}

/* Writable data: copied to the root task's own memory at `at`; returns its page-rounded size. */
static uint64_t load_data(const struct root_info *info, const struct root_segment *seg,
                          const char *image, uint64_t at)
{
    uint64_t skip = seg->va & PAGE_MASK, size = align_up(skip + seg->memory_size, PAGE_SIZE);
    char *to = boot_map_write(hpa(at), size);
    must(to ? OK : ERR_NOMEM, "data");
    memset(to, 0, size);
    memcpy(to + skip, image + seg->file_offset, seg->file_size);
    map(info, seg->va - skip, at, size, MAP_READ | MAP_WRITE);
    return size;
}

static uint64_t load_segments(const struct root_info *info, const struct root_image *image,
                              uint64_t image_pa, const char *image_va, uint64_t at)
{
    for (uint32_t i = 0; i < image->count; i++) {
        const struct root_segment *seg = &image->segment[i];
        if (seg->flags & MAP_WRITE)
            at += load_data(info, seg, image_va, at);
        else
            map(info, align_down(seg->va, PAGE_SIZE),
                image_pa + align_down(seg->file_offset, PAGE_SIZE),
                align_up((seg->va & PAGE_MASK) + seg->file_size, PAGE_SIZE), seg->flags);
    }
    return at;
}

/* Stack and info pages, at `at`. */
static void load_surroundings(struct root_info *info, uint64_t at)
{
    void *stack = boot_map_write(hpa(at), ROOT_STACK_SIZE);
    must(stack ? OK : ERR_NOMEM, "stack");
    memset(stack, 0, ROOT_STACK_SIZE);
    map(info, ROOT_STACK_TOP - ROOT_STACK_SIZE, at, ROOT_STACK_SIZE, MAP_READ | MAP_WRITE);
    at += ROOT_STACK_SIZE;
    uint64_t size = align_up(sizeof(*info), PAGE_SIZE);
    char *page = boot_map_write(hpa(at), size);
    must(page ? OK : ERR_NOMEM, "information pages");
    memset(page, 0, size);
    memcpy(page, info, sizeof(*info));
    map(info, ROOT_INFO_VA, at, size, MAP_READ);
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
    static struct root_info info;
    static struct root_image image;
    const char *base = map_package(boot);
    if (package_open(&package, base, boot->package_size) != 0)
        panic("%s", package.error);
    const struct package_file *file = package_find(&package, "manager");
    if (!file || package_verify(&package, file, base + file->offset) != 0)
        panic("%s", package.error);
    const char *error = root_elf_parse(base + file->offset, file->size, &image);
    if (error)
        panic("boot package: file 'manager': %s", error);
    root_mem_describe(boot, &info);
    uint64_t own =
        root_mem_take(&info, image.data_size + ROOT_STACK_SIZE + align_up(sizeof(info), PAGE_SIZE));
    must(own ? OK : ERR_NOMEM, "no RAM for its data");

    root = pd_create_root(kmem_available());
    must(root ? OK : ERR_NOMEM, "domain");
    spin_lock(&object_lock);
    int64_t status;
    struct thread *thread = thread_new(root, root, ROOT_UTCB_VA, &status);
    must(status, "thread");
    struct sc_object *sc = sc_new(root, 0, ROOT_PRIORITY, 0, 0, &status);
    must(status, "scheduling context");
    give_authority(thread, sc);
    give_all_memory(&info);
    uint64_t at =
        load_segments(&info, &image, boot->package_base + file->offset, base + file->offset, own);
    load_surroundings(&info, at);
    thread_set_entry(thread, image.entry, ROOT_STACK_TOP - 8, ROOT_INFO_VA);
    thread->state = THREAD_READY;
    sc_bind(sc, thread);
    spin_unlock(&object_lock);
}
