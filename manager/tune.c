/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/tune.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib/cpulist.h"
#include "manager/domain.h"

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

static struct tune_set both(const struct tune_set *a, const struct tune_set *b)
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

static const struct tune_thread *thread_of(const struct tune *tune, uint32_t i)
{
    return i == TUNE_EMULATOR ? &tune->emulator_thread : &tune->vcpu[i];
}

struct tune_set tune_allowed(const struct domain *d, uint32_t i, uint32_t *line, const char **path)
{
    const struct tune_thread *thread = thread_of(&d->tune, i);
    struct tune_set set;
    uint32_t at = 0;
    const char *element = "";
    memset(&set, 0xff, sizeof(set));
    if (d->has_cpuset) {
        memcpy(set.word, d->cpuset, sizeof(set.word));
        at = d->cpuset_line;
        element = "vcpu";
    }
    /* As in libvirt, a pin takes the place of the domain's set. */
    if (thread->pin_line) {
        set = thread->pin;
        at = thread->pin_line;
        element = i == TUNE_EMULATOR ? "cputune/emulatorpin" : PATH_PIN;
    }
    if (i == TUNE_EMULATOR && d->tune.iothread_pin_line) {
        set = thread->pin_line ? both(&set, &d->tune.iothread_pin) : d->tune.iothread_pin;
        at = d->tune.iothread_pin_line;
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

uint64_t tune_promised_ppm(const struct domain *d, uint32_t i)
{
    const struct tune_thread *t = &d->tune.vcpu[i];
    return t->period_us ? ((uint64_t)t->budget_us * PPM + t->period_us - 1) / t->period_us : 0;
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
static bool check_count(const struct domain *d, struct tune_fault *f)
{
    for (uint32_t i = d->vcpus; i < VMM_MAX_VCPUS; i++) {
        const struct tune_thread *t = &d->tune.vcpu[i];
        const char *path = t->pin_line ? PATH_PIN : t->sched_line ? PATH_SCHED : PATH_RESERVE;
        uint32_t line = t->pin_line ? t->pin_line : t->sched_line;
        if (!line && !t->reserve_all)
            line = t->reserve_line;
        if (line)
            return fault_at(f, line, path, "there is no vCPU %u; <vcpu> makes %u, from 0 to %u",
                            (unsigned)i, (unsigned)d->vcpus, (unsigned)d->vcpus - 1);
    }
    return true;
}

static bool check_reservation(const struct domain *d, uint32_t i, struct tune_fault *f)
{
    const struct tune_thread *t = &d->tune.vcpu[i];
    struct tune_limit l = tune_effective(&d->tune.each);
    if (!t->period_us)
        return true;
    if (t->scheduler != TUNE_OTHER)
        return fault_at(f, t->reserve_line, PATH_RESERVE,
                        "vCPU %u has a reservation, and another scheduler in line %u", (unsigned)i,
                        (unsigned)t->sched_line);
    if (tune_promised_ppm(d, i) > most_ppm(&d->tune.each))
        return fault_at(f, t->reserve_line, PATH_RESERVE,
                        "vCPU %u is promised %u us every %u us, but <quota> allows it only %lld us "
                        "every %llu us",
                        (unsigned)i, (unsigned)t->budget_us, (unsigned)t->period_us,
                        (long long)l.quota, (unsigned long long)l.period);
    return true;
}

/* Whoever may run only on CPUs of one set must fit into them together. */
static bool check_promises(const struct domain *d, const struct tune_set *host,
                           struct tune_fault *f)
{
    for (uint32_t i = 0; i < d->vcpus; i++) {
        struct tune_set set = tune_allowed(d, i, NULL, NULL);
        uint64_t sum = 0;
        char list[CPULIST_TEXT];
        if (host)
            set = both(&set, host);
        for (uint32_t j = 0; j < d->vcpus; j++) {
            struct tune_set other = tune_allowed(d, j, NULL, NULL);
            if (host)
                other = both(&other, host);
            sum += inside(&other, &set) ? tune_promised_ppm(d, j) : 0;
        }
        uint64_t room = tune_set_count(&set) * PPM;
        if (!d->tune.vcpu[i].period_us || sum <= room)
            continue;
        cpulist_format(set.word, TUNE_CPUS, list, sizeof(list));
        return fault_at(f, d->tune.vcpu[i].reserve_line, PATH_RESERVE,
                        "the guest's reservations on CPUs %s make %llu.%llu %% of a CPU; there are "
                        "%llu %%",
                        list, (unsigned long long)(sum / 10000),
                        (unsigned long long)(sum / 1000 % 10), (unsigned long long)(room / 10000));
    }
    return true;
}

/* There is no account of all threads of a guest: such a limit holds only if the threads' own limits
 * keep it already. */
static bool check_global(const struct domain *d, struct tune_fault *f)
{
    struct tune_limit g = tune_effective(&d->tune.global);
    if (g.quota < 0)
        return true;
    uint64_t most = d->vcpus * most_ppm(&d->tune.each) + most_ppm(&d->tune.emulator);
    /* The quota may be up to 2^44, so this does not overflow. */
    if ((uint64_t)g.quota >= most * g.period / PPM)
        return true;
    return fault_at(f, d->tune.global.quota_line, "cputune/global_quota",
                    "%lld us every %llu us for all threads cannot be kept as one sum: %u vCPUs and "
                    "the emulator may take %llu us; limit each by <quota> and <emulator_quota>",
                    (long long)g.quota, (unsigned long long)g.period, (unsigned)d->vcpus,
                    (unsigned long long)(most * g.period / PPM));
}

static bool check_iothread(const struct domain *d, struct tune_fault *f)
{
    const struct tune *t = &d->tune;
    struct tune_set set = tune_allowed(d, TUNE_EMULATOR, NULL, NULL);
    if (t->iothread_pin_line && !t->iothreads)
        return fault_at(f, t->iothread_pin_line, "cputune/iothreadpin",
                        "there is no I/O thread 1; <iothreads> makes 0");
    if (t->iothread_pin_line && !tune_set_count(&set))
        return fault_at(f, t->iothread_pin_line, "cputune/iothreadpin",
                        "the I/O thread is the emulator's, which line %u pins to other CPUs",
                        (unsigned)t->emulator_thread.pin_line);
    if (t->iothread.quota > 0 || t->iothread.period)
        return fault_at(f, t->iothread.quota > 0 ? t->iothread.quota_line : t->iothread.period_line,
                        t->iothread.quota > 0 ? "cputune/iothread_quota"
                                              : "cputune/iothread_period",
                        "the I/O thread is the emulator's: <emulator_quota> limits it");
    return true;
}

static bool check_host(const struct domain *d, const struct tune_set *host, struct tune_fault *f)
{
    for (uint32_t n = 0; n <= d->vcpus; n++) {
        uint32_t line, i = n == d->vcpus ? TUNE_EMULATOR : n;
        const char *path;
        char wanted[CPULIST_TEXT], there[CPULIST_TEXT];
        struct tune_set set = tune_allowed(d, i, &line, &path);
        struct tune_set real = both(&set, host);
        if (tune_set_count(&real))
            continue;
        cpulist_format(set.word, TUNE_CPUS, wanted, sizeof(wanted));
        cpulist_format(host->word, TUNE_CPUS, there, sizeof(there));
        return fault_at(f, line, path, "this host has CPUs %s, none of %s", there, wanted);
    }
    return true;
}

bool tune_check(const struct domain *d, const struct tune_set *host, struct tune_fault *f)
{
    *f = (struct tune_fault){.path = ""};
    if (!check_count(d, f) || !check_iothread(d, f) || !check_global(d, f))
        return false;
    for (uint32_t i = 0; i < d->vcpus; i++) {
        if (!check_reservation(d, i, f))
            return false;
    }
    if (host && !check_host(d, host, f))
        return false;
    return check_promises(d, host, f);
}
