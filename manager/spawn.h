/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts a program of the boot package in a protection domain of its own, and ends it. */
#ifndef MANAGER_SPAWN_H
#define MANAGER_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/thread.h"
#include "lib/package.h"
#include "manager/host/physmem.h"

#define PROGRAM_BLOCKS   12u
#define PROGRAM_TEXTS    8u
#define PROGRAM_CAPS_MAX 152u

/* A capability that the program gets: program_args.slot[index]. */
struct spawn_cap {
    uint32_t index;
    uint32_t slot; /* the manager's */
    uint32_t rights;
    uint64_t badge;
};

struct spawn_request {
    const struct package_file *file;
    const char *name;   /* "vmm:alpha" */
    uint64_t heap_size; /* bytes, multiple of 4 KiB */
    uint64_t quota;     /* bytes of kernel memory */
    uint32_t cpu, priority;
    const struct sc_params *params; /* not NULL: in place of priority */
    uint32_t payer;                 /* slot: the context that pays for its time; 0: nobody */
    uint64_t badge;                 /* of its portal to the manager: who it is */
    uint32_t portal;                /* the manager's portal */
    uint32_t fault_notif;
    uint64_t fault_bits; /* signalled there when a thread of it stops */
    uint32_t notif;      /* existing notification to bind; 0: a new one */
    const void *data;
    uint64_t data_size;
    const struct spawn_cap *caps;
    uint32_t cap_count;
};

struct program {
    bool alive;
    uint32_t pd, thread, sc, notif; /* slots */
    bool owns_notif;
    uint32_t text[PROGRAM_TEXTS]; /* parts of the package */
    uint32_t text_count;
    struct mem_block block[PROGRAM_BLOCKS];
    uint32_t block_count;
};

/* NULL and a running program; or why not, and nothing is left behind. */
const char *spawn_program(struct program *program, const struct spawn_request *request);
/* Stops its threads, deletes its objects, takes its memory back. Twice is fine. */
void program_end(struct program *program);
/* Bytes of user memory that are its own. */
uint64_t program_memory(const struct program *program);
/* CPU time that it has used; 0: it is dead. Through the UTCB. */
uint64_t program_time_ns(const struct program *program);

enum program_health { PROGRAM_RUNS, PROGRAM_ENDED, PROGRAM_FAULTED };
/* Faulted: one of its threads, whose registers are in info. Ended: its first thread called
 * thread_exit(). */
enum program_health program_check(const struct program *program, struct thread_info *info);
/* Logs the registers of a faulted thread. */
void program_report_fault(const char *name, const struct thread_info *info);

#endif
