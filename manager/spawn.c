/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/spawn.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "manager/bootpkg.h"
#include "manager/window.h"
#include "user/elf.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define ARGS_PAGE          4096u
#define FIRST_NO_EXCEPTION 256u /* vectors from here on: the thread called thread_exit() */

struct spawn {
    struct program *program;
    const struct spawn_request *request;
    char *why;
    size_t why_size;
    uint32_t next_slot; /* of the program's table */
};

static uint64_t page_up(uint64_t bytes)
{
    return (bytes + PHYSMEM_PAGE - 1) & ~(PHYSMEM_PAGE - 1);
}

static bool fail(struct spawn *s, const char *what, int64_t status)
{
    snprintf(s->why, s->why_size, "%s: %s: status %lld", s->request->name, what, (long long)status);
    return false;
}

/* Zeroed memory of the program's own. NULL: fail() has been called. */
static struct mem_block *new_block(struct spawn *s, uint64_t size, const char *what)
{
    struct program *p = s->program;
    struct mem_block *block = &p->block[p->block_count];
    int64_t status = ERR_QUOTA;
    if (p->block_count < PROGRAM_BLOCKS)
        status = physmem_alloc(block, page_up(size), PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (status == OK) {
        p->block_count++;
        status = window_zero(block);
    }
    if (status != OK) {
        fail(s, what, status);
        return NULL;
    }
    return block;
}

static bool map_block(struct spawn *s, const struct mem_block *block, uint64_t va, uint32_t flags,
                      const char *what)
{
    int64_t status = sys_mem_map(s->program->pd, block->slot, va, 0, block->size, flags);
    return status == OK || fail(s, what, status);
}

/* A segment that is never written is the package's own memory, shared by all instances. */
static bool map_shared(struct spawn *s, const struct elf_segment *segment)
{
    struct program *p = s->program;
    uint32_t rights = RIGHT_READ | (segment->flags & ELF_EXEC ? RIGHT_EXEC : 0);
    uint32_t flags = MAP_READ | (segment->flags & ELF_EXEC ? MAP_EXEC : 0);
    uint64_t size = page_up(segment->file_size);
    uint32_t slot = 0;
    if (p->text_count < PROGRAM_TEXTS)
        slot = bootpkg_derive(s->request->file, segment->file_offset, segment->file_size, rights);
    if (!slot)
        return fail(s, "text", ERR_QUOTA);
    p->text[p->text_count++] = slot;
    int64_t status = sys_mem_map(p->pd, slot, segment->address, 0, size, flags);
    return status == OK || fail(s, "text cannot be mapped", status);
}

static bool map_copied(struct spawn *s, const struct elf_segment *segment)
{
    const uint8_t *image = bootpkg_data(s->request->file);
    struct mem_block *block = new_block(s, segment->memory_size, "data");
    if (!block)
        return false;
    void *to = window_open(block);
    if (!to)
        return fail(s, "data", ERR_NOMEM);
    memcpy(to, image + segment->file_offset, segment->file_size);
    window_close(block);
    uint32_t flags = MAP_READ | (segment->flags & ELF_WRITE ? MAP_WRITE : 0);
    if (segment->flags & ELF_EXEC)
        flags = MAP_READ | MAP_EXEC;
    return map_block(s, block, segment->address, flags, "data cannot be mapped");
}

static bool load_image(struct spawn *s, uint64_t *entry)
{
    const struct package_file *file = s->request->file;
    struct elf elf;
    const char *why = elf_parse(&elf, bootpkg_data(file), file->size);
    if (why) {
        snprintf(s->why, s->why_size, "%s: %s", s->request->name, why);
        return false;
    }
    for (uint32_t i = 0; i < elf.segment_count; i++) {
        const struct elf_segment *segment = &elf.segment[i];
        /* The rest of a shared segment's last page shows what follows in the file, which is no
         * secret; only whole pages of zeroes behind the file's bytes need memory of their own. */
        bool shared = !(segment->flags & ELF_WRITE) && segment->file_size &&
                      page_up(segment->file_size) == page_up(segment->memory_size);
        if (!(shared ? map_shared(s, segment) : map_copied(s, segment)))
            return false;
    }
    *entry = elf.entry;
    return true;
}

static bool give(struct spawn *s, uint32_t to, uint32_t from, uint32_t rights, uint64_t badge)
{
    int64_t status = sys_cap_copy(s->program->pd, to, from, rights, badge);
    return status == OK || fail(s, "a capability cannot be given", status);
}

static bool create_objects(struct spawn *s)
{
    const struct spawn_request *r = s->request;
    struct program *p = s->program;
    p->pd = slot_alloc();
    p->thread = slot_alloc();
    p->sc = slot_alloc();
    p->owns_notif = !r->notif;
    p->notif = r->notif ? r->notif : slot_alloc();
    if (!p->pd || !p->thread || !p->sc || !p->notif)
        return fail(s, "no capability slots are left", ERR_QUOTA);
    int64_t status = sys_pd_create(p->pd, r->quota);
    if (status == OK)
        status = sys_thread_create(p->thread, p->pd, PROGRAM_UTCB_VA);
    if (status == OK)
        status = sys_sc_create(p->sc, SLOT_MACHINE, r->cpu, r->priority, 0, 0);
    if (status == OK && r->params) {
        uint64_t promised;
        memcpy(utcb_self()->mr, r->params, sizeof(*r->params));
        status = sys_sc_params(p->sc, &promised);
    }
    if (status == OK && r->payer)
        status = sys_sc_payer(p->sc, r->payer, 0);
    if (status == OK)
        status = sys_sc_bind(p->sc, p->thread);
    if (status == OK && p->owns_notif)
        status = sys_notif_create(p->notif);
    if (status == OK)
        status = sys_thread_bind(p->thread, p->notif);
    if (status == OK)
        status = sys_thread_on_fault(p->thread, r->fault_notif, r->fault_bits);
    return status == OK || fail(s, "its objects cannot be created", status);
}

static bool give_all(struct spawn *s, struct program_args *args)
{
    const struct spawn_request *r = s->request;
    const struct program *p = s->program;
    if (!give(s, SLOT_SELF_PD, p->pd, RIGHT_ALL, 0) ||
        !give(s, SLOT_SELF_THREAD, p->thread, RIGHT_ALL, 0) ||
        !give(s, SLOT_SELF_SC, p->sc, RIGHT_READ, 0) ||
        !give(s, SLOT_PARENT, r->portal, RIGHT_WRITE, r->badge) ||
        !give(s, SLOT_NOTIF, p->notif, RIGHT_ALL, 0))
        return false;
    uint32_t next = SLOT_ARGS;
    for (uint32_t i = 0; i < r->cap_count; i++) {
        const struct spawn_cap *cap = &r->caps[i];
        if (!give(s, next, cap->slot, cap->rights, cap->badge))
            return false;
        args->slot[cap->index] = next++;
    }
    args->first_free_slot = next;
    return true;
}

/* The arguments page and the program's data behind it. */
static bool write_args(struct spawn *s, const struct program_args *args)
{
    const struct spawn_request *r = s->request;
    struct mem_block *block = new_block(s, ARGS_PAGE + r->data_size, "arguments");
    if (!block)
        return false;
    uint8_t *to = window_open(block);
    if (!to)
        return fail(s, "arguments", ERR_NOMEM);
    memcpy(to, args, sizeof(*args));
    if (r->data_size)
        memcpy(to + ARGS_PAGE, r->data, r->data_size);
    window_close(block);
    return map_block(s, block, PROGRAM_ARGS_VA, MAP_READ, "arguments cannot be mapped");
}

static bool build(struct spawn *s)
{
    const struct spawn_request *r = s->request;
    struct program_args args = {
        .magic = PROGRAM_MAGIC, .heap_size = r->heap_size, .data_size = r->data_size};
    uint64_t entry;
    snprintf(args.name, sizeof(args.name), "%s", r->name);
    if (!create_objects(s) || !load_image(s, &entry) || !give_all(s, &args))
        return false;
    if (r->heap_size) {
        struct mem_block *heap = new_block(s, r->heap_size, "heap");
        if (!heap || !give(s, SLOT_HEAP, heap->slot, RIGHT_READ | RIGHT_WRITE, 0))
            return false;
    }
    /* What lies below the stack stays unmapped: an overflow is a fault, not a corruption. */
    struct mem_block *stack = new_block(s, PROGRAM_STACK_SIZE, "stack");
    if (!stack || !map_block(s, stack, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE, MAP_READ | MAP_WRITE,
                             "stack cannot be mapped"))
        return false;
    if (!write_args(s, &args))
        return false;
    int64_t status =
        sys_thread_start(s->program->thread, entry, PROGRAM_STACK_TOP, PROGRAM_ARGS_VA);
    return status == OK || fail(s, "its thread cannot be started", status);
}

const char *spawn_program(struct program *program, const struct spawn_request *request)
{
    static char why[256];
    struct spawn s = {.program = program, .request = request, .why = why, .why_size = sizeof(why)};
    *program = (struct program){0};
    program->alive = true;
    if (build(&s))
        return NULL;
    program_end(program);
    return why;
}

void program_end(struct program *p)
{
    if (!p->alive)
        return;
    /* The domain goes first: with its table go the guest, vCPUs and threads that it has made. */
    sys_thread_suspend(p->thread);
    sys_cap_revoke(p->thread);
    sys_cap_revoke(p->pd);
    slot_free(p->thread);
    slot_free(p->pd);
    sys_cap_revoke(p->sc);
    slot_free(p->sc);
    if (p->owns_notif) {
        sys_cap_revoke(p->notif);
        slot_free(p->notif);
    }
    for (uint32_t i = 0; i < p->text_count; i++)
        bootpkg_release(p->text[i]);
    for (uint32_t i = 0; i < p->block_count; i++)
        physmem_free(&p->block[i]);
    *p = (struct program){0};
}

uint64_t program_memory(const struct program *program)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < program->block_count; i++)
        bytes += program->block[i].size;
    return bytes;
}

uint64_t program_time_ns(const struct program *p)
{
    struct sc_info info;
    if (!p->alive || sys_sc_info(p->sc) != OK)
        return 0;
    memcpy(&info, utcb_self()->mr, sizeof(info));
    return time_tsc_to_ns(info.used_tsc);
}

enum program_health program_check(const struct program *program, struct thread_info *info)
{
    const struct pd_info *pd = (const struct pd_info *)utcb_self()->mr;
    if (!program->alive || sys_pd_info(program->pd) != OK)
        return PROGRAM_ENDED;
    if (pd->faults) { /* of any of its threads: what is left of it cannot be relied on */
        *info = pd->fault;
        return PROGRAM_FAULTED;
    }
    if (sys_thread_info(program->thread) != OK)
        return PROGRAM_ENDED;
    memcpy(info, utcb_self()->mr, sizeof(*info));
    bool exited = info->state == THREAD_FAULTED && info->fault_vector >= FIRST_NO_EXCEPTION;
    return exited || info->state == THREAD_DEAD ? PROGRAM_ENDED : PROGRAM_RUNS;
}

void program_report_fault(const char *name, const struct thread_info *info)
{
    static const char *const reg[16] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                        "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};
    log_line("%s: exception %llu, error %#llx, address %#llx", name,
             (unsigned long long)info->fault_vector, (unsigned long long)info->fault_error,
             (unsigned long long)info->fault_addr);
    log_line("%s: RIP %016llx RSP %016llx RFLAGS %08llx", name, (unsigned long long)info->rip,
             (unsigned long long)info->rsp, (unsigned long long)info->rflags);
    for (uint32_t i = 0; i < 16; i += 4)
        log_line("%s: %-3s %016llx %-3s %016llx %-3s %016llx %-3s %016llx", name, reg[i],
                 (unsigned long long)info->gpr[i], reg[i + 1], (unsigned long long)info->gpr[i + 1],
                 reg[i + 2], (unsigned long long)info->gpr[i + 2], reg[i + 3],
                 (unsigned long long)info->gpr[i + 3]);
}
