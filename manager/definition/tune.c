/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/definition/tune.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib/cpulist.h"

#define PPM 1000000ull

#define PATH_PIN     "cputune/vcpupin"
#define PATH_SCHED   "cputune/vcpusched"
#define PATH_RESERVE "metadata/mullion:reservation"

__attribute__((format(printf, 4, 5))) static bool fault_at(struct tune_fault *f, uint32_t line,
                                                           const char *path, const char *format,
                                                           ...)
{
    va_list args;
    f->line = line;
    f->path = path;
    va_start(args, format);
    vsnprintf(f->why, sizeof(f->why), format, args);
    va_end(args);
    return false;
}

bool tune_set_has(const struct tune_set *set, uint32_t cpu)
{
    return cpu < TUNE_CPUS && (set->word[cpu / 64] >> cpu % 64 & 1);
}

uint32_t tune_set_count(const struct tune_set *set)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < TUNE_WORDS; i++)
        n += (uint32_t)__builtin_popcountll(set->word[i]);
    return n;
}

struct tune_set tune_set_both(const struct tune_set *a, const struct tune_set *b)
{
    struct tune_set set;
    for (uint32_t i = 0; i < TUNE_WORDS; i++)
        set.word[i] = a->word[i] & b->word[i];
    return set;
}

static bool inside(const struct tune_set *inner, const struct tune_set *outer)
{
    for (uint32_t i = 0; i < TUNE_WORDS; i++) {
        if (inner->word[i] & ~outer->word[i])
            return false;
    }
    return true;
}

static const struct tune_thread *thread_of(const struct tune *t, uint32_t i)
{
    return i == TUNE_EMULATOR ? &t->emulator_thread : &t->vcpu[i];
}

struct tune_set tune_allowed(const struct tune *t, uint32_t i, uint32_t *line, const char **path)
{
    const struct tune_thread *thread = thread_of(t, i);
    struct tune_set set;
    uint32_t at = t->cpuset_line;
    const char *element = at ? "vcpu" : "";
    if (at)
        set = t->cpuset;
    else
        memset(&set, 0xff, sizeof(set));
    /* As in libvirt, a pin takes the place of the domain's set. */
    if (thread->pin_line) {
        set = thread->pin;
        at = thread->pin_line;
        element = i == TUNE_EMULATOR ? "cputune/emulatorpin" : PATH_PIN;
    }
    if (i == TUNE_EMULATOR && t->iothread_pin_line) {
        set = thread->pin_line ? tune_set_both(&set, &t->iothread_pin) : t->iothread_pin;
        at = t->iothread_pin_line;
        element = "cputune/iothreadpin";
    }
    if (line)
        *line = at;
    if (path)
        *path = element;
    return set;
}

struct tune_limit tune_effective(const struct tune_limit *limit)
{
    struct tune_limit l = *limit;
    if (!l.period)
        l.period = TUNE_PERIOD_DEFAULT;
    if (!l.quota || l.quota < 0)
        l.quota = -1;
    return l;
}

uint64_t tune_promised_ppm(const struct tune *t, uint32_t i)
{
    const struct tune_thread *v = &t->vcpu[i];
    return v->period_us ? ((uint64_t)v->budget_us * PPM + v->period_us - 1) / v->period_us : 0;
}

/* Millionths of a CPU that a thread may take at most. */
static uint64_t most_ppm(const struct tune_limit *limit)
{
    struct tune_limit l = tune_effective(limit);
    if (l.quota < 0 || (uint64_t)l.quota >= l.period)
        return PPM;
    return (uint64_t)l.quota * PPM / l.period;
}

/* Settings for a virtual CPU that there is not. */
static bool check_count(const struct tune *t, struct tune_fault *f)
{
    for (uint32_t i = t->vcpus; i < VMM_MAX_VCPUS; i++) {
        const struct tune_thread *v = &t->vcpu[i];
        const char *path = v->pin_line ? PATH_PIN : v->sched_line ? PATH_SCHED : PATH_RESERVE;
        uint32_t line = v->pin_line ? v->pin_line : v->sched_line;
        if (!line && !v->reserve_all)
            line = v->reserve_line;
        if (line)
            return fault_at(f, line, path, "there is no vCPU %u; <vcpu> makes %u, from 0 to %u",
                            (unsigned)i, (unsigned)t->vcpus, (unsigned)t->vcpus - 1);
    }
    return true;
}

static bool check_reservation(const struct tune *t, uint32_t i, struct tune_fault *f)
{
    const struct tune_thread *v = &t->vcpu[i];
    struct tune_limit l = tune_effective(&t->each);
    if (!v->period_us)
        return true;
    if (v->scheduler != TUNE_OTHER)
        return fault_at(f, v->reserve_line, PATH_RESERVE,
                        "vCPU %u has a reservation, and another scheduler in line %u", (unsigned)i,
                        (unsigned)v->sched_line);
    if (tune_promised_ppm(t, i) > most_ppm(&t->each))
        return fault_at(f, v->reserve_line, PATH_RESERVE,
                        "vCPU %u is promised %u us every %u us, but <quota> allows it only %lld us "
                        "every %llu us",
                        (unsigned)i, (unsigned)v->budget_us, (unsigned)v->period_us,
                        (long long)l.quota, (unsigned long long)l.period);
    return true;
}

/* Whoever may run only on CPUs of one set must fit into them together. */
static bool check_promises(const struct tune *t, const struct tune_set *host, struct tune_fault *f)
{
    for (uint32_t i = 0; i < t->vcpus; i++) {
        struct tune_set set = tune_allowed(t, i, NULL, NULL);
        uint64_t sum = 0;
        char list[CPULIST_TEXT];
        if (host)
            set = tune_set_both(&set, host);
        for (uint32_t j = 0; j < t->vcpus; j++) {
            struct tune_set other = tune_allowed(t, j, NULL, NULL);
            if (host)
                other = tune_set_both(&other, host);
            sum += inside(&other, &set) ? tune_promised_ppm(t, j) : 0;
        }
        uint64_t room = (uint64_t)tune_set_count(&set) * SC_RESERVABLE_PPM;
        if (!t->vcpu[i].period_us || sum <= room)
            continue;
        cpulist_format(set.word, TUNE_CPUS, list, sizeof(list));
        return fault_at(f, t->vcpu[i].reserve_line, PATH_RESERVE,
                        "the guest's reservations on CPUs %s make %llu.%llu %% of a CPU; there are "
                        "%llu %%",
                        list, (unsigned long long)(sum / 10000),
                        (unsigned long long)(sum / 1000 % 10), (unsigned long long)(room / 10000));
    }
    return true;
}

/* There is no account of all threads of a guest: such a limit holds only if the threads' own limits
 * keep it already. */
static bool check_global(const struct tune *t, struct tune_fault *f)
{
    struct tune_limit g = tune_effective(&t->global);
    if (g.quota < 0)
        return true;
    uint64_t most = t->vcpus * most_ppm(&t->each) + most_ppm(&t->emulator);
    /* The quota may be up to 2^44, so this does not overflow. */
    if ((uint64_t)g.quota >= most * g.period / PPM)
        return true;
    return fault_at(f, t->global.quota_line, "cputune/global_quota",
                    "%lld us every %llu us for all threads cannot be kept as one sum: %u vCPUs and "
                    "the emulator may take %llu us; limit each by <quota> and <emulator_quota>",
                    (long long)g.quota, (unsigned long long)g.period, (unsigned)t->vcpus,
                    (unsigned long long)(most * g.period / PPM));
}

static bool check_iothread(const struct tune *t, struct tune_fault *f)
{
    struct tune_set set = tune_allowed(t, TUNE_EMULATOR, NULL, NULL);
    if (t->iothread_pin_line && !t->iothreads)
        return fault_at(f, t->iothread_pin_line, "cputune/iothreadpin",
                        "there is no I/O thread 1; <iothreads> makes 0");
    if (t->iothread_pin_line && !tune_set_count(&set))
        return fault_at(
            f, t->iothread_pin_line, "cputune/iothreadpin",
            "the I/O thread is the emulator's, which <emulatorpin> keeps on other CPUs");
    if (t->iothread.quota > 0 || t->iothread.period)
        return fault_at(f, t->iothread.quota > 0 ? t->iothread.quota_line : t->iothread.period_line,
                        t->iothread.quota > 0 ? "cputune/iothread_quota"
                                              : "cputune/iothread_period",
                        "the I/O thread is the emulator's: <emulator_quota> limits it");
    return true;
}

static bool check_host(const struct tune *t, const struct tune_set *host, struct tune_fault *f)
{
    for (uint32_t n = 0; n <= t->vcpus; n++) {
        uint32_t line, i = n == t->vcpus ? TUNE_EMULATOR : n;
        const char *path;
        char wanted[CPULIST_TEXT], there[CPULIST_TEXT];
        struct tune_set set = tune_allowed(t, i, &line, &path);
        struct tune_set real = tune_set_both(&set, host);
        if (tune_set_count(&real))
            continue;
        cpulist_format(set.word, TUNE_CPUS, wanted, sizeof(wanted));
        cpulist_format(host->word, TUNE_CPUS, there, sizeof(there));
        if (!t->pool[0])
            return fault_at(f, line, path, "this host has CPUs %s, none of %s", there, wanted);
        return fault_at(f, line ? line : t->pool_line, line ? path : TUNE_PATH_POOL,
                        "CPU pool '%s' has CPUs %s, none of %s", t->pool, there, wanted);
    }
    return true;
}

/* The guest's weight is divided, so that it does not depend on the number of vCPUs. The emulator's
 * thread is idle most of the time: a share of its own keeps it quick, and is what a guest gets at
 * most by keeping it busy. */
#define EMULATOR_PART 4u

static uint32_t weight_of(const struct tune *t, uint32_t i)
{
    uint64_t shares = t->shares ? t->shares : TUNE_SHARES_DEFAULT;
    uint64_t weight = shares / (i == TUNE_EMULATOR ? EMULATOR_PART : t->vcpus);
    if (thread_of(t, i)->scheduler == TUNE_IDLE)
        weight = 0;
    return weight < SC_WEIGHT_MIN ? SC_WEIGHT_MIN : (uint32_t)weight;
}

/* Priorities 1 to 99 become those above all shares and below the host's own programs. */
static uint32_t priority_of(const struct tune_thread *thread)
{
    return SC_PRIORITY_SYSTEM + (thread->priority - 1) * TUNE_PRIORITIES / 99;
}

void tune_params(const struct tune *t, uint32_t i, struct sc_params *p)
{
    const struct tune_thread *thread = thread_of(t, i);
    struct tune_limit l = tune_effective(i == TUNE_EMULATOR ? &t->emulator : &t->each);
    struct tune_set set = tune_allowed(t, i, NULL, NULL);
    *p = (struct sc_params){.class = SC_SHARED};
    memcpy(p->affinity, set.word, sizeof(p->affinity));
    if (l.quota > 0 && (uint64_t)l.quota < l.period) {
        p->budget_us = (uint64_t)l.quota;
        p->period_us = l.period;
    }
    if (thread->period_us) {
        p->class = SC_RESERVED;
        p->budget_us = thread->budget_us;
        p->period_us = thread->period_us;
    } else if (thread->scheduler == TUNE_FIFO || thread->scheduler == TUNE_RR) {
        p->class = SC_FIXED;
        p->priority = priority_of(thread);
    } else {
        p->weight = weight_of(t, i);
    }
}

bool tune_check(const struct tune *t, const struct tune_set *host, struct tune_fault *f)
{
    *f = (struct tune_fault){.path = ""};
    if (!check_count(t, f) || !check_iothread(t, f) || !check_global(t, f))
        return false;
    for (uint32_t i = 0; i < t->vcpus; i++) {
        if (!check_reservation(t, i, f))
            return false;
    }
    if (host && !check_host(t, host, f))
        return false;
    return check_promises(t, host, f);
}
