/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/verbs.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "console/client.h"
#include "console/top.h"
#include "console/verbs_capture.h"
#include "console/verbs_cpu.h"
#include "console/verbs_cpupool.h"
#include "console/verbs_dirty.h"
#include "console/verbs_domif.h"
#include "console/verbs_host.h"
#include "console/verbs_iface.h"
#include "console/verbs_network.h"
#include "console/verbs_trace.h"
#include "console/verbs_pool.h"
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
void verbs_sleep(uint64_t ns)
{
    uint64_t end = time_tsc() + time_ns_to_tsc(ns);
    uint64_t bits;
    if (!sleep_notif)
        return;
    sys_notif_wait(sleep_notif, end, &bits);
}

void client_pause(void)
{
    verbs_sleep(PAUSE_NS);
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
    verbs_sleep(REFRESH_NS);
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
        verbs_sleep(PAUSE_NS);
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
        verbs_sleep(PAUSE_NS);
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
    verbs_sleep(REFRESH_NS);
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
    verbs_sleep(REFRESH_NS);
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
    verbs_sleep(REFRESH_NS);
    top_look(time_ns(), 0, NULL);
    verbs_sleep(ONCE_NS);
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
    {"cpu-offline", VERB_WORD, 0, "<cpu>",
     "take a CPU of the host out of use; what runs there goes to others", run_cpu_offline},
    {"cpu-online", VERB_WORD, 0, "<cpu>", "take a CPU of the host into use again", run_cpu_online},
    {"cpupool-cpu-add", VERB_WORD_1, 0, "<pool> <cpulist>", "give a CPU pool more CPUs",
     run_cpupool_cpu_add},
    {"cpupool-cpu-remove", VERB_WORD_1, 0, "<pool> <cpulist>", "take CPUs out of a CPU pool",
     run_cpupool_cpu_remove},
    {"cpupool-create", VERB_WORD_1, 0, "<pool> <cpulist>", "make a pool of CPUs",
     run_cpupool_create},
    {"cpupool-destroy", VERB_WORD, 0, "<pool>", "end a CPU pool without guests",
     run_cpupool_destroy},
    {"cpupool-list", VERB_NONE, 0, "", "list pools of the host's CPUs", run_cpupool_list},
    {"cpupool-migrate", VERB_DOMAIN_1, 0, "<domain> <pool>",
     "assign a domain to a CPU pool; -: to none", run_cpupool_migrate},
    {"destroy", VERB_DOMAIN, 0, "<domain>", "destroy (stop) a domain", run_destroy},
    {"dmesg", VERB_NONE, 0, "", "kernel log of the hypervisor", run_dmesg},
    {"domblklist", VERB_DOMAIN, 0, "<domain>", "list all domain blocks", run_domblklist},
    {"domblkstat", VERB_DOMAIN_1, 0, "<domain> [<device>]", "get device block stats for a domain",
     run_domblkstat},
    {"domdirtyrate-calc", VERB_DOMAIN_1, 0, "<domain> [<seconds>]",
     "calculate a domain's memory dirty rate", run_domdirtyrate_calc},
    {"domif-getlink", VERB_DOMAIN_1, 0, "<domain> <interface>",
     "get link state of a virtual interface", run_domif_getlink},
    {"domif-setlink", VERB_DOMAIN_2, 0, "<domain> <interface> <state>",
     "set link state of a virtual interface", run_domif_setlink},
    {"domiflist", VERB_DOMAIN, 0, "<domain>", "list all domain virtual interfaces", run_domiflist},
    {"domifstat", VERB_DOMAIN_1, 0, "<domain> [<interface>]",
     "get network interface stats for a domain", run_domifstat},
    {"dominfo", VERB_DOMAIN, 0, "<domain>", "domain information", run_dominfo},
    {"domstate", VERB_DOMAIN, 0, "<domain>", "domain state", run_domstate},
    {"domstats", VERB_WORD, 0, "[<domain>]", "get statistics about one or all domains",
     run_domstats},
    {"emulatorpin", VERB_DOMAIN_1, OPTION_TUNE | OPTION_CPULIST,
     "<domain> [<cpulist>] [--live] [--config] [--current]",
     "control or query domain emulator affinity", run_emulatorpin},
    {"help", VERB_WORD, 0, "[<command>]", "print help", run_help},
    {"host-addresses", VERB_NONE, 0, "", "the host's own addresses, name and time servers",
     run_host_addresses},
    {"iface-list", VERB_NONE, OPTION_ALL, "[--all]", "list the host's network interfaces",
     run_iface_list},
    {"list", VERB_NONE, OPTION_ALL | OPTION_INACTIVE | OPTION_NAME, "[--all] [--inactive] [--name]",
     "list domains", run_list},
    {"net-capture", VERB_DOMAIN_ANY, 0, "<network> <port> [<frames>]",
     "print frames of a network's port (as net-info names it), a pcap file in base64",
     run_net_capture},
    {"net-info", VERB_WORD, 0, "<network>", "network information, its ports and their counters",
     run_net_info},
    {"net-list", VERB_NONE, OPTION_ALL, "[--all]", "list networks", run_net_list},
    {"nodecpumap", VERB_NONE, 0, "", "the host's CPUs, and which of them are online",
     run_nodecpumap},
    {"nodedev-list", VERB_NONE, 0, "", "enumerate devices on this host", run_nodedev_list},
    {"nodeinfo", VERB_NONE, 0, "", "node information", run_nodeinfo},
    {"ping", VERB_WORD_1, 0, "<host> [<count>]",
     "ask a host for an answer, from the host's network", run_ping},
    {"pool-grow", VERB_WORD_1, 0, "<pool> [<capacity>]",
     "make a pool's partition larger, into the free space behind it", run_pool_grow},
    {"pool-list", VERB_NONE, 0, "", "list pools", run_pool_list},
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
    {"snapshot-create", VERB_DOMAIN_1, 0, "<domain> <name>",
     "Create a snapshot of all volumes of a domain", run_snapshot_create},
    {"snapshot-delete", VERB_DOMAIN_1, 0, "<domain> <snapshot>", "Delete a domain snapshot",
     run_snapshot_delete},
    {"snapshot-list", VERB_DOMAIN, 0, "<domain>", "List snapshots for a domain", run_snapshot_list},
    {"snapshot-revert", VERB_DOMAIN_1, 0, "<domain> <snapshot>", "Revert a domain to a snapshot",
     run_snapshot_revert},
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
    {"vol-clone", VERB_DOMAIN_1, OPTION_POOL, "<vol> <newname> --pool <pool>", "clone a volume",
     run_vol_clone},
    {"vol-create", VERB_DOMAIN_2, 0, "<pool> <name> <capacity>", "create a volume", run_vol_create},
    {"vol-delete", VERB_DOMAIN, OPTION_POOL, "<vol> --pool <pool>", "delete a volume",
     run_vol_delete},
    {"vol-list", VERB_DOMAIN, 0, "<pool>", "list volumes", run_vol_list},
    {"vol-resize", VERB_DOMAIN_1, OPTION_POOL | OPTION_SHRINK,
     "<vol> <capacity> --pool <pool> [--shrink]", "resize a volume", run_vol_resize},
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
    if (index != 1 || !verb || verb->argument == VERB_NONE || verb->argument == VERB_WORD_1)
        return NULL;
    if (i == 0 && client_list(briefs, &count) != OK)
        count = 0;
    return i < count ? briefs[i].name : NULL;
}
