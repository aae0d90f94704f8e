/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/guest/tune_edit.h"

#include <stdio.h>
#include <string.h>
#include "manager/definition/domain_value.h"

/* Stands for the line of an element that was never written. */
#define AT_RUN_TIME UINT32_MAX

static char why_text[256];

static const char *const value_names[MGR_TUNES] = MGR_TUNE_NAMES;

static const char *out_of_range(uint32_t which, long long min, long long max)
{
    snprintf(why_text, sizeof(why_text),
             "invalid argument: value of '%s' is out of range [%lld, %lld]", value_names[which],
             min, max);
    return why_text;
}

/* The limit that a period or quota belongs to; NULL: none. */
static struct tune_limit *limit_of(struct tune *t, uint32_t which)
{
    switch (which) {
    case MGR_TUNE_VCPU_PERIOD:
    case MGR_TUNE_VCPU_QUOTA:
        return &t->each;
    case MGR_TUNE_EMULATOR_PERIOD:
    case MGR_TUNE_EMULATOR_QUOTA:
        return &t->emulator;
    case MGR_TUNE_GLOBAL_PERIOD:
    case MGR_TUNE_GLOBAL_QUOTA:
        return &t->global;
    case MGR_TUNE_IOTHREAD_PERIOD:
    case MGR_TUNE_IOTHREAD_QUOTA:
        return &t->iothread;
    default:
        return NULL;
    }
}

static bool is_period(uint32_t which)
{
    return which == MGR_TUNE_VCPU_PERIOD || which == MGR_TUNE_EMULATOR_PERIOD ||
           which == MGR_TUNE_GLOBAL_PERIOD || which == MGR_TUNE_IOTHREAD_PERIOD;
}

static const char *edit_shares(struct tune *t, int64_t value)
{
    if (value < TUNE_SHARES_MIN || value > TUNE_SHARES_MAX)
        return out_of_range(MGR_TUNE_CPU_SHARES, TUNE_SHARES_MIN, TUNE_SHARES_MAX);
    t->shares = (uint64_t)value;
    t->shares_line = AT_RUN_TIME;
    return NULL;
}

static const char *edit_limit(struct tune_limit *limit, uint32_t which, int64_t value)
{
    if (is_period(which)) {
        if (value < 0 || value > TUNE_PERIOD_MAX || (value && value < TUNE_PERIOD_MIN))
            return out_of_range(which, TUNE_PERIOD_MIN, TUNE_PERIOD_MAX);
        limit->period = (uint64_t)value;
        limit->period_line = AT_RUN_TIME;
    } else {
        if (value > (int64_t)TUNE_QUOTA_MAX || (value > 0 && value < TUNE_QUOTA_MIN))
            return out_of_range(which, TUNE_QUOTA_MIN, (long long)TUNE_QUOTA_MAX);
        limit->quota = value;
        limit->quota_line = AT_RUN_TIME;
    }
    return NULL;
}

static const char *edit_one(struct tune *t, uint32_t which, int64_t value)
{
    if (which == MGR_TUNE_CPU_SHARES)
        return edit_shares(t, value);
    struct tune_limit *limit = limit_of(t, which);
    return limit ? edit_limit(limit, which, value) : "invalid argument: no such parameter";
}

const char *tune_edit_values(struct tune *t, const struct mgr_tune_set *set)
{
    if (set->count > MGR_TUNES)
        return "invalid argument: too many parameters";
    for (uint32_t i = 0; i < set->count; i++) {
        const char *why = edit_one(t, set->change[i].which, set->change[i].value);
        if (why)
            return why;
    }
    return NULL;
}

static const char *edit_pin(struct tune_thread *thread, const char *list)
{
    struct tune_set pin;
    if (!strcmp(list, "r")) {
        thread->pin_line = 0;
        return NULL;
    }
    if (!value_cpuset(list, pin.word, TUNE_WORDS) || !tune_set_count(&pin)) {
        snprintf(why_text, sizeof(why_text), "invalid argument: Failed to parse bitmap '%.100s'",
                 list);
        return why_text;
    }
    thread->pin = pin;
    thread->pin_line = AT_RUN_TIME;
    return NULL;
}

const char *tune_edit_pin(struct tune *t, const struct mgr_pin_set *set)
{
    char list[sizeof(set->list)];
    memcpy(list, set->list, sizeof(list));
    list[sizeof(list) - 1] = 0;
    if (set->vcpu == MGR_PIN_EMULATOR)
        return edit_pin(&t->emulator_thread, list);
    if (set->vcpu >= t->vcpus) {
        snprintf(why_text, sizeof(why_text),
                 "invalid argument: vcpu %u is out of range of live cpu count %u",
                 (unsigned)set->vcpu, (unsigned)t->vcpus);
        return why_text;
    }
    return edit_pin(&t->vcpu[set->vcpu], list);
}

void tune_values(const struct tune *t, struct mgr_tune *out)
{
    const struct tune_limit *limits[] = {&t->each, &t->emulator, &t->global, &t->iothread};
    *out = (struct mgr_tune){.vcpus = t->vcpus};
    out->value[MGR_TUNE_CPU_SHARES] = (int64_t)(t->shares ? t->shares : TUNE_SHARES_DEFAULT);
    for (uint32_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct tune_limit l = tune_effective(limits[i]);
        out->value[MGR_TUNE_VCPU_PERIOD + 2 * i] = (int64_t)l.period;
        out->value[MGR_TUNE_VCPU_QUOTA + 2 * i] = l.quota;
    }
}
