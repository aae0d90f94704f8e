/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of the own domain. Their stacks come from the top of the heap and are never given back:
 * programs start their threads once. */
#include "user/program.h"
#include "user/heap.h"
#include "user/syscall_stubs.h"
#include "abi/object.h"
#include "abi/status.h"

#define THREAD_PAGE  4096u
#define THREAD_GUARD THREAD_PAGE
#define THREAD_UTCBS 4096u /* up to here the addresses after PROGRAM_UTCB_VA are reserved */

struct thread_start {
    void (*fn)(void *);
    void *arg;
};

void thread_begin(struct thread_start *start);
void thread_entry(void);

__attribute__((used, noreturn)) void thread_begin(struct thread_start *start)
{
    start->fn(start->arg);
    for (;;)
        sys_thread_exit();
}

/* RDI = struct thread_start; RSP is 16-byte aligned. */
__asm__(".pushsection .text.thread_entry, \"ax\"\n"
        ".globl thread_entry\n"
        ".type thread_entry, @function\n"
        "thread_entry:\n"
        "    xor %ebp, %ebp\n"
        "    call thread_begin\n"
        "    ud2\n"
        ".size thread_entry, . - thread_entry\n"
        ".popsection\n");

static uint64_t utcb_address(void)
{
    static uint32_t used = 1; /* the first thread's */
    uint32_t index = __atomic_fetch_add(&used, 1, __ATOMIC_RELAXED);
    return index < THREAD_UTCBS ? PROGRAM_UTCB_VA + (uint64_t)index * THREAD_PAGE : 0;
}

static int64_t create_objects(struct user_thread *thread)
{
    uint64_t utcb = utcb_address();
    if (!thread->slot || !thread->notif || !utcb)
        return ERR_QUOTA;
    int64_t status = sys_thread_create(thread->slot, SLOT_SELF_PD, utcb);
    if (status == OK)
        status = sys_sc_bind(thread->sc_slot, thread->slot);
    if (status == OK)
        status = sys_notif_create(thread->notif);
    if (status == OK)
        status = sys_thread_bind(thread->slot, thread->notif);
    return status;
}

/* A stack with an unmapped page below it. */
static void *create_stack(void)
{
    char *pages = heap_take_pages(THREAD_GUARD + PROGRAM_STACK_SIZE);
    if (!pages || sys_mem_unmap(SLOT_SELF_PD, (uintptr_t)pages, THREAD_GUARD) != OK)
        return NULL;
    return pages + THREAD_GUARD;
}

int64_t thread_spawn_on(struct user_thread *thread, void (*fn)(void *), void *arg, uint32_t sc_slot)
{
    thread->slot = slot_alloc();
    thread->sc_slot = sc_slot;
    thread->notif = slot_alloc();
    thread->stack = NULL;
    int64_t status = create_objects(thread);
    if (status == OK && !(thread->stack = create_stack()))
        status = ERR_NOMEM;
    if (status == OK) {
        uintptr_t top = (uintptr_t)thread->stack + PROGRAM_STACK_SIZE - sizeof(struct thread_start);
        struct thread_start *start = (struct thread_start *)top;
        start->fn = fn;
        start->arg = arg;
        status = sys_thread_start(thread->slot, (uintptr_t)thread_entry, top, top);
    }
    if (status != OK) {
        slot_free(thread->slot);
        slot_free(thread->notif);
    }
    return status;
}

int64_t thread_spawn(struct user_thread *thread, void (*fn)(void *), void *arg, uint32_t cpu,
                     uint32_t priority)
{
    uint32_t sc_slot = slot_alloc();
    int64_t status =
        sc_slot ? sys_sc_create(sc_slot, SLOT_MACHINE, cpu, priority, 0, 0) : ERR_QUOTA;
    if (status == OK)
        status = thread_spawn_on(thread, fn, arg, sc_slot);
    if (status != OK)
        slot_free(sc_slot);
    return status;
}
