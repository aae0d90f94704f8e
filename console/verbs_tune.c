/* SPDX-License-Identifier: BSD-2-Clause */
/* schedinfo, vcpupin, emulatorpin: virsh's arguments, output and messages. */
#include "console/verbs_tune.h"

#include <stdio.h>
#include <string.h>
#include "abi/status.h"
#include "console/client.h"
#include "lib/cpulist.h"

static const char *const value_names[MGR_TUNES] = MGR_TUNE_NAMES;

static uint32_t flags_of(const struct command *c)
{
    return (c->options & OPTION_LIVE ? MGR_TUNE_LIVE : 0) |
           (c->options & OPTION_CONFIG ? MGR_TUNE_CONFIG : 0);
}

static bool say_why(struct text *text)
{
    text_add(text, "error: %s\n\n", client_reason());
    return false;
}

/* --current is neither of the others. */
static bool flags_agree(const struct command *c, struct text *text)
{
    uint32_t other = c->options & (OPTION_LIVE | OPTION_CONFIG);
    if (!(c->options & OPTION_CURRENT) || !other)
        return true;
    text_add(text, "error: Options --current and --%s are mutually exclusive\n\n",
             other & OPTION_LIVE ? "live" : "config");
    return false;
}

/* Digits with a sign, all of the word. */
static bool parse_number(const char *word, int64_t *out)
{
    bool negative = *word == '-';
    uint64_t value = 0;
    word += negative;
    if (!*word)
        return false;
    for (; *word; word++) {
        if (*word < '0' || *word > '9' || value > (INT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*word - '0');
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* "cpu_shares=512"; what is wrong goes into text. */
static bool add_change(struct mgr_tune_set *set, const char *word, struct text *text)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : 0;
    uint32_t which = 0;
    int64_t value;
    if (!length) {
        text_add(text, "error: Invalid syntax for --set, expecting name=value\n\n");
        return false;
    }
    while (which < MGR_TUNES &&
           (strlen(value_names[which]) != length || strncmp(value_names[which], word, length)))
        which++;
    if (which == MGR_TUNES) {
        text_add(text, "error: invalid scheduler option: %.*s\n\n", (int)length, word);
        return false;
    }
    if (!parse_number(equals + 1, &value)) {
        text_add(text, "error: Invalid value '%.32s' for field '%s'\n\n", equals + 1,
                 value_names[which]);
        return false;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->change[i].which == which) {
            text_add(text, "error: '%s' is given twice\n\n", value_names[which]);
            return false;
        }
    }
    set->change[set->count].which = which;
    set->change[set->count++].value = value;
    return true;
}

void run_schedinfo(const struct command *c, struct text *text)
{
    struct mgr_tune_set set = {0};
    struct mgr_tune tune;
    if (!flags_agree(c, text))
        return;
    for (uint32_t i = 0; i < c->word_count; i++) {
        if (!add_change(&set, c->word[i], text))
            return;
    }
    if ((set.count && client_tune_set(c->domain, flags_of(c), &set) != OK) ||
        client_tune(c->domain, flags_of(c), &tune) != OK) {
        say_why(text);
        return;
    }
    text_add(text, "%-15s: %s\n", "Scheduler", "posix");
    for (uint32_t i = 0; i < MGR_TUNES; i++)
        text_add(text, "%-15s: %lld\n", value_names[i], (long long)tune.value[i]);
    text_add(text, "\n");
}

static void list_of(const struct tune_set *set, char list[CPULIST_TEXT])
{
    struct mgr_node node;
    uint32_t cpus = client_node(&node) == OK && node.cpus < TUNE_CPUS ? node.cpus : TUNE_CPUS;
    cpulist_format(set->word, cpus, list, CPULIST_TEXT);
}

static void set_pin(const struct command *c, uint32_t vcpu, const char *list, struct text *text)
{
    struct mgr_pin_set set = {.vcpu = vcpu};
    if (strlen(list) >= sizeof(set.list)) {
        text_add(text, "error: invalid argument: the list of CPUs is too long\n\n");
        return;
    }
    snprintf(set.list, sizeof(set.list), "%s", list);
    if (client_pin(c->domain, flags_of(c), &set) != OK)
        say_why(text);
    else
        text_add(text, "\n");
}

static void show_pins(const struct mgr_tune *tune, uint32_t first, uint32_t last, struct text *text)
{
    char list[CPULIST_TEXT];
    text_add(text, " VCPU   CPU Affinity\n----------------------\n");
    for (uint32_t i = first; i <= last; i++) {
        list_of(&tune->pin[i], list);
        text_add(text, " %-4u   %s\n", (unsigned)i, list);
    }
    text_add(text, "\n");
}

/* The next word that no option has given, or NULL. */
static const char *next_word(const struct command *c, const char *option, uint32_t *used)
{
    if (option)
        return option;
    return *used < c->word_count ? c->word[(*used)++] : NULL;
}

void run_vcpupin(const struct command *c, struct text *text)
{
    uint32_t used = 0;
    const char *vcpu_word = next_word(c, c->vcpu, &used);
    const char *list = next_word(c, c->cpulist, &used);
    struct mgr_tune tune;
    int64_t vcpu = 0;
    if (!flags_agree(c, text))
        return;
    if (vcpu_word && (!parse_number(vcpu_word, &vcpu) || vcpu < 0)) {
        text_add(text,
                 "error: Numeric value '%.32s' for <vcpu> option is malformed or out of "
                 "range\n\n",
                 vcpu_word);
        return;
    }
    if (list && !vcpu_word) {
        text_add(text, "error: vcpupin: Missing vCPU number in pin mode.\n\n");
        return;
    }
    if (client_tune(c->domain, flags_of(c), &tune) != OK) {
        say_why(text);
        return;
    }
    if (tune.vcpus > VMM_MAX_VCPUS || vcpu >= tune.vcpus)
        text_add(text, "error: vcpupin: vCPU index out of range.\n\n");
    else if (list)
        set_pin(c, (uint32_t)vcpu, list, text);
    else
        show_pins(&tune, (uint32_t)vcpu, vcpu_word ? (uint32_t)vcpu : tune.vcpus - 1, text);
}

void run_emulatorpin(const struct command *c, struct text *text)
{
    uint32_t used = 0;
    const char *list = next_word(c, c->cpulist, &used);
    struct mgr_tune tune;
    char shown[CPULIST_TEXT];
    if (!flags_agree(c, text))
        return;
    if (list) {
        set_pin(c, MGR_PIN_EMULATOR, list, text);
        return;
    }
    if (client_tune(c->domain, flags_of(c), &tune) != OK) {
        say_why(text);
        return;
    }
    list_of(&tune.emulator_pin, shown);
    text_add(text, "emulator: CPU Affinity\n----------------------------------\n       *: %s\n\n",
             shown);
}

const char *schedinfo_candidate(uint32_t i)
{
    static char word[32];
    if (i >= MGR_TUNES)
        return NULL;
    snprintf(word, sizeof(word), "%s=", value_names[i]);
    return word;
}
