/* SPDX-License-Identifier: BSD-2-Clause */
/* What a definition says about the host's CPU time and memory nodes: <cputune>, <vcpu cpuset>,
 * <numatune>, mullion:reservation, mullion:cpupool. Plain data, its limits, and what in it
 * contradicts itself. */
#ifndef MANAGER_DEFINITION_TUNE_H
#define MANAGER_DEFINITION_TUNE_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/thread.h"
#include "vmm/config.h"

#define TUNE_POOL  32u /* bytes of a CPU pool's name, with its end */
#define TUNE_CPUS  256u
#define TUNE_WORDS (TUNE_CPUS / 64)

/* libvirt's ranges. */
#define TUNE_SHARES_MIN     2u
#define TUNE_SHARES_MAX     262144u
#define TUNE_SHARES_DEFAULT 1024u
#define TUNE_PERIOD_MIN     1000u /* us */
#define TUNE_PERIOD_MAX     1000000u
#define TUNE_PERIOD_DEFAULT 100000u
#define TUNE_QUOTA_MIN      1000u /* us */
#define TUNE_QUOTA_MAX      17592186044415ull
/* Kernel priorities, from SC_PRIORITY_SYSTEM on, that guests' real-time schedulers share. */
#define TUNE_PRIORITIES 6u
/* A reservation's. */
#define TUNE_BUDGET_MIN  100u /* us */
#define TUNE_RESERVE_MAX 10000000u

/* Below <domain>. */
#define TUNE_PATH_POOL "metadata/mullion:cpupool"

struct tune_set {
    uint64_t word[TUNE_WORDS];
};

/* libvirt's schedulers; TUNE_OTHER: none is named. */
enum tune_scheduler { TUNE_OTHER, TUNE_BATCH, TUNE_IDLE, TUNE_FIFO, TUNE_RR };

/* One virtual CPU's thread, or the emulator's. A line of 0: not given. */
struct tune_thread {
    struct tune_set pin;
    uint32_t pin_line;
    uint32_t scheduler; /* enum tune_scheduler */
    uint32_t priority;  /* 1 to 99, of TUNE_FIFO and TUNE_RR */
    uint32_t sched_line;
    uint32_t budget_us, period_us; /* reservation */
    uint32_t reserve_line;
    bool reserve_all; /* the element names no virtual CPUs: it means all */
};

/* quota of period; 0: not given. quota below 0: no limit. */
struct tune_limit {
    uint64_t period; /* us */
    int64_t quota;   /* us */
    uint32_t period_line, quota_line;
};

enum tune_numa { TUNE_NUMA_NONE, TUNE_NUMA_PREFERRED, TUNE_NUMA_STRICT };

struct tune {
    uint32_t vcpus;       /* how many there are */
    uint32_t cpuset_line; /* 0: all CPUs */
    struct tune_set cpuset;
    char pool[TUNE_POOL]; /* of CPUs; empty: those in no pool */
    uint32_t pool_line;
    uint64_t shares; /* 0: not given */
    uint32_t shares_line;
    struct tune_limit each;     /* virtual CPU */
    struct tune_limit emulator; /* its thread */
    struct tune_limit global;   /* all threads together */
    struct tune_limit iothread;
    struct tune_thread vcpu[VMM_MAX_VCPUS];
    struct tune_thread emulator_thread;
    struct tune_set iothread_pin; /* of the one I/O thread, which is the emulator's */
    uint32_t iothreads, iothreads_line, iothread_pin_line;

    uint32_t numa; /* enum tune_numa */
    uint64_t nodes;
    uint32_t numa_line;
};

#define TUNE_WHY 320u
/* What does not fit: where, and why. */
struct tune_fault {
    uint32_t line;
    const char *path; /* of the element below <domain> */
    char why[TUNE_WHY];
};

/* Index of the emulator's thread beside those of the virtual CPUs. */
#define TUNE_EMULATOR VMM_MAX_VCPUS

bool tune_set_has(const struct tune_set *set, uint32_t cpu);
uint32_t tune_set_count(const struct tune_set *set);
struct tune_set tune_set_both(const struct tune_set *a, const struct tune_set *b);
/* Where virtual CPU i (TUNE_EMULATOR: the emulator's thread) may run; *line and *path (not NULL):
 * the element that says so, 0 and "" if none does. */
struct tune_set tune_allowed(const struct tune *tune, uint32_t i, uint32_t *line,
                             const char **path);
/* Limits with libvirt's defaults put in; quota -1: none. */
struct tune_limit tune_effective(const struct tune_limit *limit);
/* Millionths of a CPU that virtual CPU i is promised, rounded up; 0: it has no reservation. */
uint64_t tune_promised_ppm(const struct tune *tune, uint32_t i);
/* What the kernel is told of the thread. */
void tune_params(const struct tune *tune, uint32_t i, struct sc_params *params);
/* False: the settings contradict each other. host: the CPUs there are; NULL: not known. */
bool tune_check(const struct tune *tune, const struct tune_set *host, struct tune_fault *fault);

#endif
