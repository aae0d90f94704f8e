/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/verbs.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "console/client.h"
#include "console/top.h"
#include "console/verbs_trace.h"
#include "console/verbs_tune.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define REFRESH_NS 20000000ull /* a VMM answers a request for fresh counters within it */
#define PAUSE_NS   5000000ull
#define PAUSES     1000u /* 5 s for a guest to stand still */

struct attach_request verbs_attach;
bool verbs_top;

static void add_error(struct text *text, const char *what, const char *name)
{
    text_add(text, "error: %s '%s'\nerror: %s\n\n", what, name, client_reason());
}

static uint32_t sleep_notif; /* only for its time-outs */

void verbs_init(void)
{
    sleep_notif = slot_alloc();
    if (sys_notif_create(sleep_notif) != OK) {
        slot_free(sleep_notif);
        sleep_notif = 0;
    }
}

/* Sleeps without taking anything away from the main loop: yields until the time has come. */
static void sleep_ns(uint64_t ns)
{
    uint64_t end = time_tsc() + time_ns_to_tsc(ns);
    uint64_t bits;
    if (!sleep_notif)
        return;
    sys_notif_wait(sleep_notif, end, &bits);
}

static void run_list(const struct command *c, struct text *text)
{
    struct mgr_brief briefs[CLIENT_DOMAINS];
    uint32_t count;
    if (client_list(briefs, &count) != OK) {
        text_add(text, "error: %s\n\n", client_reason());
        return;
    }
    if (!(c->options & OPTION_NAME)) {
        format_list(text, briefs, count, c->options & OPTION_ALL, c->options & OPTION_INACTIVE);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool active = lifecycle_has_vmm((enum vm_state)briefs[i].state);
        if ((c->options & OPTION_ALL) || active != !!(c->options & OPTION_INACTIVE))
            text_add(text, "%s\n", briefs[i].name);
    }
    text_add(text, "\n");
}

static void run_dominfo(const struct command *c, struct text *text)
{
    struct mgr_info info;
    client_refresh(c->domain);
    sleep_ns(REFRESH_NS);
    if (client_info(c->domain, &info) != OK)
        text_add(text, "error: %s\n\n", client_reason());
    else
        format_info(text, &info);
}

static void run_domstate(const struct command *c, struct text *text)
{
    struct mgr_info info;
    if (client_info(c->domain, &info) != OK)
        text_add(text, "error: %s\n\n", client_reason());
    else
        text_add(text, "%s\n\n", format_state(info.brief.state));
}

static bool act(const struct command *c, struct text *text, enum vm_input verb, const char *what)
{
    if (client_act(c->domain, verb) == OK)
        return true;
    add_error(text, what, c->domain);
    return false;
}

/* suspend and resume answer when the guest has done it, as in virsh. */
static bool reaches(const char *domain, enum vm_state state)
{
    struct mgr_info info;
    for (uint32_t i = 0; i < PAUSES; i++) {
        if (client_info(domain, &info) != OK)
            return false;
        if (info.brief.state == (uint32_t)state)
            return true;
        sleep_ns(PAUSE_NS);
    }
    return false;
}

/* Answers when the guest runs or its VMM has refused it, as in virsh; a large guest may still be
 * on its way after the last pause. */
static void run_start(const struct command *c, struct text *text)
{
    struct mgr_info info;
    if (!act(c, text, VM_IN_START, "Failed to start domain"))
        return;
    for (uint32_t i = 0; i < PAUSES; i++) {
        if (client_info(c->domain, &info) != OK || info.brief.state != VM_STARTING)
            break;
        sleep_ns(PAUSE_NS);
    }
    if (client_info(c->domain, &info) == OK && info.brief.state == VM_SHUTOFF &&
        !strncmp(info.reason, MGR_REFUSED, sizeof(MGR_REFUSED) - 1))
        text_add(text, "error: Failed to start domain '%s'\nerror: %s\n", c->domain, info.reason);
    else
        text_add(text, "Domain '%s' started\n\n", c->domain);
}

static void run_shutdown(const struct command *c, struct text *text)
{
    if (act(c, text, VM_IN_SHUTDOWN, "Failed to shutdown domain"))
        text_add(text, "Domain '%s' is being shutdown\n\n", c->domain);
}

static void run_destroy(const struct command *c, struct text *text)
{
    if (act(c, text, VM_IN_DESTROY, "Failed to destroy domain"))
        text_add(text, "Domain '%s' destroyed\n\n", c->domain);
}

static void run_reset(const struct command *c, struct text *text)
{
    if (act(c, text, VM_IN_RESET, "Failed to reset domain"))
        text_add(text, "Domain '%s' was reset\n\n", c->domain);
}

static void run_suspend(const struct command *c, struct text *text)
{
    if (!act(c, text, VM_IN_SUSPEND, "Failed to suspend domain"))
        return;
    if (reaches(c->domain, VM_PAUSED))
        text_add(text, "Domain '%s' suspended\n\n", c->domain);
    else
        text_add(text, "error: Domain '%s' was asked to stand still, but goes on\n\n", c->domain);
}

static void run_resume(const struct command *c, struct text *text)
{
    if (!act(c, text, VM_IN_RESUME, "Failed to resume domain"))
        return;
    if (reaches(c->domain, VM_RUNNING))
        text_add(text, "Domain '%s' resumed\n\n", c->domain);
    else
        text_add(text, "error: Domain '%s' was asked to go on, but stands still\n\n", c->domain);
}

static void run_console(const struct command *c, struct text *text)
{
    const char *extra = c->word[0];
    if (extra && strcmp(extra, "serial") && strcmp(extra, "virtio")) {
        text_add(text, "error: a console is 'serial' or 'virtio', not '%s'\n\n", extra);
        return;
    }
    verbs_attach.wanted = true;
    verbs_attach.virtio = extra && !strcmp(extra, "virtio");
    snprintf(verbs_attach.name, sizeof(verbs_attach.name), "%s", c->domain);
}

static void for_each_vcpu(const struct command *c, struct text *text, bool info)
{
    struct mgr_node node = {0};
    struct mgr_stats stats = {.vcpus = 1};
    client_refresh(c->domain);
    sleep_ns(REFRESH_NS);
    client_node(&node);
    for (uint32_t i = 0; i < stats.vcpus && i < VMM_MAX_VCPUS; i++) {
        if (client_stats(c->domain, i, &stats) != OK) {
            text_add(text, "error: %s\n\n", client_reason());
            return;
        }
        if (info)
            format_vcpuinfo(text, i, &stats, node.cpus, c->options & OPTION_PRETTY);
        else if (!i)
            format_stats_head(text, c->domain, &stats);
        if (!info)
            format_stats_vcpu(text, i, &stats);
    }
    if (!info) {
        format_stats_emulator(text, &stats);
        text_add(text, "\n");
    }
}

static void run_domstats(const struct command *c, struct text *text)
{
    struct mgr_brief briefs[CLIENT_DOMAINS];
    uint32_t count;
    struct command one = *c;
    if (c->domain) {
        for_each_vcpu(c, text, false);
        return;
    }
    if (client_list(briefs, &count) != OK)
        return;
    for (uint32_t i = 0; i < count; i++) {
        one.domain = briefs[i].name;
        if (lifecycle_has_vmm((enum vm_state)briefs[i].state))
            for_each_vcpu(&one, text, false);
    }
}

static void run_vcpuinfo(const struct command *c, struct text *text)
{
    for_each_vcpu(c, text, true);
}

static void run_domblklist(const struct command *c, struct text *text)
{
    struct mgr_disk disks[VMM_MAX_DISKS];
    uint32_t count;
    if (client_disks(c->domain, disks, &count) != OK)
        text_add(text, "error: %s\n\n", client_reason());
    else
        format_disks(text, disks, count);
}

/* Without a target virsh sums over all disks; one after the other says more. */
static void run_domblkstat(const struct command *c, struct text *text)
{
    struct mgr_disk disks[VMM_MAX_DISKS];
    uint32_t count, shown = 0;
    client_refresh(c->domain);
    sleep_ns(REFRESH_NS);
    if (client_disks(c->domain, disks, &count) != OK) {
        text_add(text, "error: %s\n\n", client_reason());
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (c->word[0] && strcmp(c->word[0], disks[i].target))
            continue;
        format_disk_stats(text, &disks[i]);
        shown++;
    }
    if (!shown && c->word[0])
        text_add(text, "error: invalid path '%s' not assigned to domain\n\n", c->word[0]);
}

#define ONCE_NS 500000000ull /* between the two looks of --once */

/* The picture that is drawn again and again is the main loop's. */
static void run_top(const struct command *c, struct text *text)
{
    if (!(c->options & OPTION_ONCE)) {
        verbs_top = true;
        return;
    }
    top_begin();
    top_look(time_ns(), 0, NULL); /* asks for fresh counters */
    sleep_ns(REFRESH_NS);
    top_look(time_ns(), 0, NULL);
    sleep_ns(ONCE_NS);
    top_look(time_ns(), UINT32_MAX, text);
    text_add(text, "\n");
}

static void run_nodeinfo(const struct command *c, struct text *text)
{
    struct mgr_node node;
    (void)c;
    if (client_node(&node) != OK)
        text_add(text, "error: %s\n\n", client_reason());
    else
        format_node(text, &node);
}

static void run_nodedev_list(const struct command *c, struct text *text)
{
    struct mgr_nodedev list[16];
    uint32_t first = 0, n;
    (void)c;
    do {
        if (client_nodedev(first, list, sizeof(list) / sizeof(list[0]), &n) != OK) {
            text_add(text, "error: %s\n\n", client_reason());
            return;
        }
        for (uint32_t i = 0; i < n; i++)
            text_add(text, "%s\n", list[i].name);
        first += n;
    } while (n);
    text_add(text, "\n");
}

static void run_dmesg(const struct command *c, struct text *text)
{
    char bytes[1024];
    uint64_t position = 0;
    uint32_t length;
    (void)c;
    while (client_klog(&position, bytes, sizeof(bytes), &length) == OK && length)
        text_add(text, "%.*s", (int)length, bytes);
    text_add(text, "\n");
}

static void host(const struct command *c, struct text *text, enum mgr_host how)
{
    bool force = c->options & OPTION_FORCE;
    if (client_host(how, force) != OK)
        text_add(text, "error: %s\n\n", client_reason());
    else
        text_add(text, "%s, then the host %s\n\n",
                 force ? "Domains are destroyed" : "Domains are being shutdown",
                 how == MGR_HOST_REBOOT ? "restarts" : "powers off");
}

static void run_shutdown_host(const struct command *c, struct text *text)
{
    host(c, text, MGR_HOST_POWEROFF);
}

static void run_reboot_host(const struct command *c, struct text *text)
{
    host(c, text, MGR_HOST_REBOOT);
}

static void run_help(const struct command *c, struct text *text)
{
    const struct verb *verb = c->domain ? verb_find(c->domain) : NULL;
    if (c->domain && !verb) {
        text_add(text, "error: command '%s' doesn't exist\n\n", c->domain);
    } else if (verb) {
        text_add(text, "  NAME\n    %s - %s\n\n  SYNOPSIS\n    %s%s%s\n\n", verb->name, verb->help,
                 verb->name, verb->usage[0] ? " " : "", verb->usage);
    } else {
        for (verb = verbs; verb->name; verb++)
            text_add(text, "    %-15s %s\n", verb->name, verb->help);
        text_add(text, "\n");
    }
}

const struct verb verbs[] = {
    {"console", VERB_DOMAIN_1, 0, "<domain> [serial|virtio]",
     "connect to the guest console; Ctrl-] leaves it", run_console},
    {"destroy", VERB_DOMAIN, 0, "<domain>", "destroy (stop) a domain", run_destroy},
    {"dmesg", VERB_NONE, 0, "", "kernel log of the hypervisor", run_dmesg},
    {"domblklist", VERB_DOMAIN, 0, "<domain>", "list all domain blocks", run_domblklist},
    {"domblkstat", VERB_DOMAIN_1, 0, "<domain> [<device>]", "get device block stats for a domain",
     run_domblkstat},
    {"dominfo", VERB_DOMAIN, 0, "<domain>", "domain information", run_dominfo},
    {"domstate", VERB_DOMAIN, 0, "<domain>", "domain state", run_domstate},
    {"domstats", VERB_WORD, 0, "[<domain>]", "get statistics about one or all domains",
     run_domstats},
    {"emulatorpin", VERB_DOMAIN_1, OPTION_TUNE | OPTION_CPULIST,
     "<domain> [<cpulist>] [--live] [--config] [--current]",
     "control or query domain emulator affinity", run_emulatorpin},
    {"help", VERB_WORD, 0, "[<command>]", "print help", run_help},
    {"list", VERB_NONE, OPTION_ALL | OPTION_INACTIVE | OPTION_NAME, "[--all] [--inactive] [--name]",
     "list domains", run_list},
    {"nodedev-list", VERB_NONE, 0, "", "enumerate devices on this host", run_nodedev_list},
    {"nodeinfo", VERB_NONE, 0, "", "node information", run_nodeinfo},
    {"reboot-host", VERB_NONE, OPTION_FORCE, "[--force]",
     "shut all domains down (at once with --force), restart the host", run_reboot_host},
    {"reset", VERB_DOMAIN, 0, "<domain>", "reset a domain", run_reset},
    {"resume", VERB_DOMAIN, 0, "<domain>", "resume a domain", run_resume},
    {"schedinfo", VERB_DOMAIN_ANY, OPTION_TUNE | OPTION_SET,
     "<domain> [--set <name=value>...] [--live] [--config] [--current]",
     "show/set scheduler parameters", run_schedinfo},
    {"shutdown", VERB_DOMAIN, 0, "<domain>", "gracefully shutdown a domain", run_shutdown},
    {"shutdown-host", VERB_NONE, OPTION_FORCE, "[--force]",
     "shut all domains down (at once with --force), power the host off", run_shutdown_host},
    {"start", VERB_DOMAIN, 0, "<domain>", "start a (previously defined) inactive domain",
     run_start},
    {"suspend", VERB_DOMAIN, 0, "<domain>", "suspend a domain", run_suspend},
    {"top", VERB_NONE, OPTION_ONCE, "[--once]",
     "what each virtual CPU does, every second until a key is pressed", run_top},
    {"trace", VERB_WORD, 0, "on|off|dump",
     "trace of scheduling events; tools/trace2json draws what dump prints", run_trace},
    {"vcpuinfo", VERB_DOMAIN, OPTION_PRETTY, "<domain> [--pretty]",
     "detailed domain vcpu information", run_vcpuinfo},
    {"vcpupin", VERB_DOMAIN_2, OPTION_TUNE | OPTION_VCPU | OPTION_CPULIST,
     "<domain> [<vcpu>] [<cpulist>] [--live] [--config] [--current]",
     "control or query domain vcpu affinity", run_vcpupin},
    {NULL, VERB_NONE, 0, NULL, NULL, NULL},
};

const struct verb *verb_find(const char *name)
{
    for (const struct verb *v = verbs; v->name; v++) {
        if (!strcmp(v->name, name))
            return v;
    }
    return NULL;
}

void verbs_run(const char *line, struct text *text)
{
    struct command command;
    char error[128];
    const char *wrong = command_parse(&command, line, error);
    if (wrong)
        text_add(text, "error: %s\n\n", wrong);
    else if (command.verb)
        verb_find(command.verb)->run(&command, text);
}

const char *verbs_candidate(void *context, uint32_t index, const char *first, uint32_t i)
{
    static struct mgr_brief briefs[CLIENT_DOMAINS];
    static uint32_t count;
    const struct verb *verb = index ? verb_find(first) : NULL;
    uint32_t verb_count = 0;
    (void)context;
    while (verbs[verb_count].name)
        verb_count++;
    if (index == 0 || (index == 1 && !strcmp(first, "help")))
        return i < verb_count ? verbs[i].name : NULL;
    if (index > 1 && verb && verb->run == run_schedinfo)
        return schedinfo_candidate(i);
    if (index == 1 && verb && verb->run == run_trace)
        return trace_candidate(i);
    if (index != 1 || !verb || verb->argument == VERB_NONE)
        return NULL;
    if (i == 0 && client_list(briefs, &count) != OK)
        count = 0;
    return i < count ? briefs[i].name : NULL;
}
