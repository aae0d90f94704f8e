/* SPDX-License-Identifier: BSD-2-Clause */
/* What the console understands and prints, over a faked manager; and the manager's small helpers.
 */
#include "test.h"
#include <stdint.h>
#define USER_SYSCALL_STUBS_H
static int64_t sys_notif_create(uint32_t dst)
{
    (void)dst;
    return 0;
}
static int64_t sys_notif_wait(uint32_t notif, uint64_t deadline, uint64_t *bits)
{
    (void)notif, (void)deadline;
    *bits = 0;
    return -8;
}
#include "user/program.h"
uint32_t slot_alloc(void)
{
    return 100;
}
uint64_t time_ns(void)
{
    return 1;
}
uint64_t time_tsc(void)
{
    return 1;
}
uint64_t time_ns_to_tsc(uint64_t ns)
{
    return ns;
}

#include "abi/thread.h"
#include "abi/vcpu.h"
#include "console/client.h"
static struct mgr_brief fake[3] = {
    {.id = 4, .index = 0, .state = VM_RUNNING, .run = 1, .autostart = 1, .name = "alpha"},
    {.id = 0, .index = 1, .state = VM_SHUTOFF, .name = "a-long-name"},
    {.id = 12, .index = 2, .state = VM_PAUSED, .name = "beta"},
};
static const char *fake_reason = "crashed: x\nRIP 1";
static int acted;
static enum vm_input last_verb;
static enum mgr_host last_host;
static int last_force = -1;
int64_t client_list(struct mgr_brief briefs[CLIENT_DOMAINS], uint32_t *count)
{
    memcpy(briefs, fake, sizeof(fake));
    *count = 3;
    return 0;
}
static const struct mgr_brief *find(const char *name)
{
    for (int i = 0; i < 3; i++) {
        if (!strcmp(fake[i].name, name))
            return &fake[i];
    }
    return NULL;
}
int64_t client_info(const char *name, struct mgr_info *info)
{
    memset(info, 0, sizeof(*info));
    if (!find(name))
        return -1;
    info->brief = *find(name);
    info->uuid[0] = 0x4d;
    info->uuid[15] = 0xde;
    info->vcpus = 2;
    info->memory = info->used_memory = 256 << 20;
    info->cpu_time_ns = 3260000000;
    snprintf(info->reason, sizeof(info->reason), "%s", fake_reason);
    return 0;
}
int64_t client_act(const char *name, enum vm_input verb)
{
    acted++;
    last_verb = verb;
    return find(name) ? 0 : -1;
}
int64_t client_refresh(const char *name)
{
    (void)name;
    return 0;
}
static uint32_t looks;
int64_t client_stats(const char *name, uint32_t vcpu, struct mgr_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->vcpus = 2;
    stats->vm_state = VM_RUNNING;
    stats->sched.cpu = vcpu + 2;
    stats->sched.class = SC_SHARED;
    stats->sched.weight = 512;
    stats->sched.used_ns = 1500000000ull * (looks + 1);
    stats->sched.wait_ns = 250000000ull * (looks + 1);
    stats->sched.migrations = 3;
    stats->sched.deadline_misses = vcpu;
    stats->sched.budget_us = vcpu ? 25000 : 0;
    stats->sched.period_us = vcpu ? 100000 : 0;
    stats->emulator.used_ns = 100000000;
    stats->domain_ns = 99;
    stats->state = vcpu; /* vCPU 1 is halted */
    stats->memory = 1 << 20;
    stats->balloon_pages = 16;
    stats->cpuset.word[0] = 5;
    stats->stat[0] = 77 + vcpu + 1000 * looks;
    stats->stat[STAT_HLT] = 200 * looks;
    return find(name) ? 0 : -1;
}
static struct mgr_tune fake_tune = {
    .vcpus = 2, .value = {1024, 100000, -1, 100000, -1, 100000, -1, 100000, -1}};
static struct mgr_tune_set last_set;
static struct mgr_pin_set last_pin;
static uint32_t last_flags;
int64_t client_tune(const char *name, uint32_t flags, struct mgr_tune *tune)
{
    last_flags = flags;
    *tune = fake_tune;
    memset(tune->pin, 0xff, sizeof(tune->pin));
    tune->pin[1].word[0] = 2;
    tune->emulator_pin.word[0] = 12;
    return find(name) ? 0 : -1;
}
int64_t client_tune_set(const char *name, uint32_t flags, const struct mgr_tune_set *set)
{
    last_flags = flags;
    last_set = *set;
    for (uint32_t i = 0; i < set->count; i++)
        fake_tune.value[set->change[i].which] = set->change[i].value;
    return find(name) ? 0 : -1;
}
int64_t client_pin(const char *name, uint32_t flags, const struct mgr_pin_set *set)
{
    last_flags = flags;
    last_pin = *set;
    return find(name) ? 0 : -1;
}
static enum mgr_trace last_trace;
int64_t client_trace(enum mgr_trace what)
{
    last_trace = what;
    return 0;
}
/* CPU 0 has three events, the others none. */
int64_t client_trace_read(uint32_t cpu, uint64_t *position, struct trace_entry *entries,
                          uint32_t size, uint32_t *count)
{
    *count = !cpu && !*position && size >= 3 ? 3 : 0;
    for (uint32_t i = 0; i < *count; i++)
        entries[i] =
            (struct trace_entry){.tsc = 0x1000 + i, .sc = 7 + i, .event = (uint16_t)(i + 1)};
    *position += *count;
    return 0;
}
int64_t client_node(struct mgr_node *node)
{
    memset(node, 0, sizeof(*node));
    node->cpus = 4;
    node->nodes = 1;
    node->tsc_khz = 2300000;
    node->memory = 4ull << 30;
    node->virt = 1;
    return 0;
}
int64_t client_disks(const char *name, struct mgr_disk *disks, uint32_t *count)
{
    memset(disks, 0, 2 * sizeof(*disks));
    snprintf(disks[0].target, sizeof(disks[0].target), "vda");
    snprintf(disks[0].source, sizeof(disks[0].source), "images/root.img");
    snprintf(disks[1].target, sizeof(disks[1].target), "vdb");
    snprintf(disks[1].source, sizeof(disks[1].source), "x");
    disks[1].stat[DISK_STAT_WRITES] = 42;
    *count = 2;
    return find(name) ? 0 : -1;
}
int64_t client_nodedev(uint32_t first, struct mgr_nodedev *list, uint32_t max, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = first; i < 20 && *count < max; i++)
        snprintf(list[(*count)++].name, sizeof(list[0].name), "pci_0000_00_%02x_0", i);
    return 0;
}
int64_t client_host(enum mgr_host how, int force)
{
    last_host = how;
    last_force = force;
    return 0;
}
int64_t client_klog(uint64_t *position, char *bytes, uint32_t size, uint32_t *length)
{
    *length = (uint32_t)snprintf(bytes, size, "%s", *position ? "" : "log\n");
    *position = 1;
    return 0;
}
const char *client_reason(void)
{
    return "failed to get domain";
}

#include "lib/cpulist.c"
#include "console/format.c"
#include "console/verbs_tune.c"
#include "console/verbs_trace.c"
#include "console/top.c"
#include "console/command.c"
#include "console/verbs.c"
#include "manager/options.c"
#include "manager/rtc.c"

static char bytes[65536];

static const char *run(const char *line)
{
    struct text text = {bytes, sizeof(bytes), 0};
    bytes[0] = 0;
    verbs_run(line, &text);
    return bytes;
}

TEST(list)
{
    CHECK(!strcmp(run("list"),
                  " Id   Name    State\n-----------------------\n 4    alpha   running\n"
                  " 12   beta    paused\n\n"));
    CHECK(!strcmp(run(" list  --all "),
                  " Id   Name          State\n------------------------------\n"
                  " 4    alpha         running\n -    a-long-name   shut off\n"
                  " 12   beta          paused\n\n"));
    CHECK(strstr(run("list --inactive"), "a-long-name") && !strstr(bytes, "alpha "));
    CHECK(!strcmp(run("list --name"), "alpha\nbeta\n\n"));
}

TEST(nodedev_list)
{
    run("nodedev-list");
    CHECK(!strncmp(bytes, "pci_0000_00_00_0\npci_0000_00_01_0\n", 34));
    CHECK(strstr(bytes, "pci_0000_00_0f_0\npci_0000_00_10_0\n")); /* over two calls */
    CHECK(strstr(bytes, "pci_0000_00_13_0\n\n") && !strstr(bytes, "_14_"));
}

TEST(disks)
{
    CHECK(!strcmp(run("domblklist alpha"),
                  " Target   Source\n--------------------------\n vda      images/root.img\n"
                  " vdb      x\n\n"));
    run("domblkstat alpha vdb");
    CHECK(!strncmp(bytes, "vdb rd_req 0\n", 13) && strstr(bytes, "\nvdb wr_req 42\n"));
    CHECK(!strstr(bytes, "vda"));
    CHECK(strstr(run("domblkstat alpha"), "vda errs 0\n\nvdb rd_req"));
    CHECK(strstr(run("domblkstat alpha vdx"), "error: invalid path 'vdx'"));
    CHECK(strstr(run("domblklist nobody"), "error: failed to get domain"));
}

TEST(dominfo)
{
    run("dominfo alpha");
    CHECK(!strncmp(bytes, "Id:             4\nName:           alpha\n", 40));
    CHECK(strstr(bytes, "UUID:           4d000000-0000-0000-0000-0000000000de\n"));
    CHECK(strstr(bytes, "State:          running\nCPU(s):         2\nCPU time:       3.2s\n"));
    CHECK(strstr(bytes, "Max memory:     262144 KiB\n"));
    CHECK(strstr(bytes, "Last end:       crashed: x\n                RIP 1\n"));
    CHECK(strstr(run("dominfo nobody"), "error: failed to get domain"));
}

TEST(actions)
{
    CHECK(!strcmp(run("start alpha"), "Domain 'alpha' started\n\n") && last_verb == VM_IN_START);
    CHECK(!strcmp(run("shutdown alpha"), "Domain 'alpha' is being shutdown\n\n"));
    CHECK_EQ(last_verb, VM_IN_SHUTDOWN);
    CHECK(!strcmp(run("destroy alpha"), "Domain 'alpha' destroyed\n\n"));
    CHECK_EQ(last_verb, VM_IN_DESTROY);
    CHECK(!strcmp(run("reset alpha"), "Domain 'alpha' was reset\n\n") && last_verb == VM_IN_RESET);
    CHECK(!strcmp(run("suspend beta"), "Domain 'beta' suspended\n\n"));
    CHECK_EQ(last_verb, VM_IN_SUSPEND);
    CHECK(!strcmp(run("resume alpha"), "Domain 'alpha' resumed\n\n") && last_verb == VM_IN_RESUME);
    CHECK(strstr(run("suspend alpha"), "but goes on"));
    fake_reason = "powered off: ACPI S5"; /* it was quick */
    CHECK(!strcmp(run("start a-long-name"), "Domain 'a-long-name' started\n\n"));
    fake_reason = "refused: k.img: is no bzImage";
    CHECK(strstr(run("start a-long-name"), "error: Failed to start domain 'a-long-name'\n"
                                           "error: refused: k.img: is no bzImage\n"));
    CHECK(strstr(run("start nobody"), "error: Failed to start domain 'nobody'\nerror: failed to"));
}

TEST(wrong_commands_do_nothing)
{
    acted = 0;
    CHECK(!strcmp(run("frob"), "error: unknown command: 'frob'\n\n"));
    CHECK(!strcmp(run("start"), "error: command 'start' requires <domain> option\n\n"));
    CHECK(!strcmp(run("start a b"), "error: unexpected data 'b'\n\n"));
    CHECK(!strcmp(run("nodeinfo x"), "error: unexpected data 'x'\n\n"));
    CHECK(strstr(run("start alpha --now"), "doesn't support option --now"));
    CHECK(strstr(run("start alpha --all"), "doesn't support this option"));
    CHECK(strstr(run("console a b c"), "unexpected data"));
    CHECK(strstr(run("console a video"), "not 'video'"));
    CHECK(!strcmp(run(""), "") && !strcmp(run("  \t "), ""));
    char line[600];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = 0;
    CHECK(strstr(run(line), "unknown command"));
    CHECK_EQ(acted, 0);
}

TEST(console_is_asked_for)
{
    verbs_attach.wanted = false;
    run("console alpha");
    CHECK(verbs_attach.wanted && !verbs_attach.virtio && !strcmp(verbs_attach.name, "alpha"));
    run("console alpha virtio");
    CHECK(verbs_attach.virtio);
}

TEST(host_verbs)
{
    run("shutdown-host");
    CHECK(last_host == MGR_HOST_POWEROFF && last_force == 0);
    run("reboot-host --force");
    CHECK(last_host == MGR_HOST_REBOOT && last_force == 1);
}

TEST(statistics)
{
    run("domstats alpha");
    CHECK(
        strstr(bytes, "Domain: 'alpha'\n  state.state=1\n  cpu.time=99\n  balloon.current=960\n"));
    CHECK(strstr(bytes, "  vcpu.0.exits.sum=77\n") && strstr(bytes, "  vcpu.1.exits.sum=78\n"));
    CHECK(strstr(bytes, "  cpu.time=99\n") && strstr(bytes, "  vcpu.0.time=1500000000\n"));
    CHECK(strstr(bytes, "  vcpu.0.wait=250000000\n  vcpu.0.delay=250000000\n"));
    CHECK(strstr(bytes, "  vcpu.1.halted=yes\n") && strstr(bytes, "  emulator.time=100000000\n"));
    run("vcpuinfo alpha");
    CHECK(strstr(bytes, "Scheduling:     shared, weight 512\nWait time:      0.2s\n"));
    CHECK(strstr(bytes, "weight 512, at most 25000 us of 100000 us\n"));
    CHECK(strstr(bytes, "Migrations:     3\nMissed:         1\n"));
    CHECK(strstr(run("vcpuinfo alpha --pretty"), "CPU Affinity:   0,2 (out of 4)\n"));
    run("vcpuinfo alpha");
    CHECK(strstr(bytes, "VCPU:           0\nCPU:            2\nState:          running\n"));
    CHECK(strstr(bytes, "VCPU:           1\nCPU:            3\nState:          idle\n"));
    CHECK(strstr(bytes, "CPU Affinity:   y-y-\n"));
    CHECK(strstr(run("nodeinfo"), "CPU(s):              4\nCPU frequency:       2300 MHz\n"));
    CHECK(strstr(run("domstats"), "Domain: 'beta'") && !strstr(bytes, "a-long-name"));
}

TEST(schedinfo)
{
    CHECK(!strcmp(run("schedinfo alpha"),
                  "Scheduler      : posix\ncpu_shares     : 1024\nvcpu_period    : 100000\n"
                  "vcpu_quota     : -1\nemulator_period: 100000\nemulator_quota : -1\n"
                  "global_period  : 100000\nglobal_quota   : -1\niothread_period: 100000\n"
                  "iothread_quota : -1\n\n"));
    CHECK_EQ(last_flags, 0);
    run("schedinfo alpha --set cpu_shares=2048 vcpu_quota=-1 --live");
    CHECK(strstr(bytes, "cpu_shares     : 2048\n") && last_flags == MGR_TUNE_LIVE);
    CHECK(last_set.count == 2 && last_set.change[1].which == MGR_TUNE_VCPU_QUOTA);
    CHECK_EQ(last_set.change[1].value, -1);
    run("schedinfo --domain alpha --set=cpu_shares=7 --config");
    CHECK(strstr(bytes, "cpu_shares     : 7\n") && last_flags == MGR_TUNE_CONFIG);
    last_set.count = 0;
    CHECK(!strcmp(run("schedinfo alpha frob=1"), "error: invalid scheduler option: frob\n\n"));
    CHECK(strstr(run("schedinfo alpha --set cpu_shares=1x"), "Invalid value '1x' for field"));
    CHECK(strstr(run("schedinfo alpha --set cpu_shares=99999999999999999999"), "Invalid value"));
    CHECK(strstr(run("schedinfo alpha --set cpu_shares"), "expecting name=value"));
    CHECK(strstr(run("schedinfo alpha --set =5"), "expecting name=value"));
    CHECK(strstr(run("schedinfo alpha cpu_shares=5 cpu_shares=6"), "given twice"));
    CHECK(strstr(run("schedinfo alpha --live --current"), "mutually exclusive"));
    CHECK(strstr(run("schedinfo"), "requires <domain>"));
    CHECK(strstr(run("schedinfo nobody"), "failed to get domain"));
    CHECK(strstr(run("schedinfo a 1 2 3 4 5 6 7 8 9 10"), "unexpected data '10'"));
    CHECK_EQ(last_set.count, 0);
}

TEST(pins)
{
    CHECK(!strcmp(run("vcpupin alpha"), " VCPU   CPU Affinity\n----------------------\n"
                                        " 0      0-3\n 1      1\n\n"));
    CHECK(!strcmp(run("vcpupin alpha 1"), " VCPU   CPU Affinity\n----------------------\n"
                                          " 1      1\n\n"));
    CHECK(!strcmp(run("vcpupin alpha 1 0-2,^1"), "\n"));
    CHECK(last_pin.vcpu == 1 && !strcmp(last_pin.list, "0-2,^1"));
    run("vcpupin alpha --cpulist 3 --vcpu=0");
    CHECK(last_pin.vcpu == 0 && !strcmp(last_pin.list, "3"));
    CHECK(strstr(run("vcpupin alpha 2 0"), "vCPU index out of range"));
    CHECK(strstr(run("vcpupin alpha x 0"), "Numeric value 'x' for <vcpu>"));
    CHECK(strstr(run("vcpupin alpha --cpulist 0"), "Missing vCPU number"));
    CHECK(strstr(run("vcpupin alpha 0 1 2"), "unexpected data '2'"));
    CHECK(strstr(run("vcpupin alpha --vcpu"), "doesn't support option --vcpu"));
    CHECK(!strcmp(run("emulatorpin alpha"),
                  "emulator: CPU Affinity\n----------------------------------\n       *: 2-3\n\n"));
    CHECK(!strcmp(run("emulatorpin alpha 1 --live"), "\n") && last_flags == MGR_TUNE_LIVE);
    CHECK(last_pin.vcpu == MGR_PIN_EMULATOR && !strcmp(last_pin.list, "1"));
    CHECK(strstr(run("emulatorpin nobody 1"), "error: failed to get domain"));
}

TEST(top_shows_what_moved)
{
    struct text text = {bytes, sizeof(bytes), 0};
    bytes[0] = 0;
    run("top");
    CHECK(verbs_top && !bytes[0]);
    verbs_top = false;
    looks = 0;
    top_begin();
    top_look(1, 0, NULL);
    looks = 1; /* two seconds later: 1.5 s run, 0.25 s waited, 1000 exits, 200 of them HLT */
    top_look(2000000001, 100, &text);
    CHECK(strstr(bytes, "top: up 0s, 4 CPUs, 2 of 0 domains active\n"));
    CHECK(strstr(bytes, "\nalpha     0   2  75.0   12    0     500   100     0     0     0     0 "
                        "   3    0\n"));
    CHECK(strstr(bytes, "\nalpha     1   3  75.0   12    0     500   100     0     0     0     0 "
                        "   3    1\n"));
    CHECK(strstr(bytes, "\nalpha     e   0   0.0") && strstr(bytes, "\nbeta      0   2"));
    text.used = 0;
    top_look(3000000001, 4, &text); /* nothing moved; two rows */
    CHECK(strstr(bytes, "alpha     1   3   0.0") && !strstr(bytes, "beta"));
    looks = 0;
    CHECK(strstr(run("top --once"), "DOMAIN   VC CPU  RUN%"));
    CHECK(strstr(run("top alpha"), "unexpected data 'alpha'"));
    for (const char *line = bytes; *line; line += strcspn(line, "\n") + 1)
        CHECK(strcspn(line, "\n") < 80);
}

TEST(trace)
{
    CHECK(!strcmp(run("trace on"), "Scheduling events are traced\n\n"));
    CHECK_EQ(last_trace, MGR_TRACE_ON);
    CHECK(strstr(run("trace off"), "not traced") && last_trace == MGR_TRACE_OFF);
    run("trace dump");
    CHECK(!strncmp(bytes, "trace begin 4 2300000\ntrace name 0 alpha vcpu 0\n", 48));
    CHECK(strstr(bytes, "trace name 0 beta emulator\ntrace 0 1000 run 7 0\ntrace 0 1001 idle 8 0\n"
                        "trace 0 1002 ready 9 0\ntrace end\n"));
    CHECK(strstr(run("trace"), "'on', 'off' or 'dump'") && strstr(run("trace x"), "error"));
    CHECK(!strcmp(verbs_candidate(NULL, 1, "trace", 2), "dump"));
}

TEST(help_and_log)
{
    run("help");
    for (const struct verb *v = verbs; v->name; v++)
        CHECK(strstr(bytes, v->name));
    CHECK(strstr(run("help start"), "    start <domain>\n"));
    CHECK(strstr(run("help frob"), "command 'frob' doesn't exist"));
    CHECK(!strcmp(run("dmesg"), "log\n\n"));
}

TEST(candidates)
{
    CHECK(!strcmp(verbs_candidate(NULL, 0, "", 0), "console"));
    CHECK(!strcmp(verbs_candidate(NULL, 1, "start", 0), "alpha")); /* the first asks the manager */
    CHECK(!strcmp(verbs_candidate(NULL, 1, "start", 2), "beta"));
    CHECK(!verbs_candidate(NULL, 1, "start", 3));
    CHECK(!verbs_candidate(NULL, 1, "list", 0) && !verbs_candidate(NULL, 2, "start", 0));
    CHECK(!strcmp(verbs_candidate(NULL, 1, "help", 1), "destroy"));
    CHECK(!strcmp(verbs_candidate(NULL, 1, "vcpupin", 0), "alpha"));
    CHECK(!strcmp(verbs_candidate(NULL, 2, "schedinfo", 0), "cpu_shares="));
    CHECK(!strcmp(verbs_candidate(NULL, 3, "schedinfo", 8), "iothread_quota="));
    CHECK(!verbs_candidate(NULL, 2, "schedinfo", 9));
}

TEST(text_is_bounded)
{
    char small[8];
    struct text text = {small, sizeof(small), 0};
    for (int i = 0; i < 100; i++)
        text_add(&text, "%s", "abc");
    CHECK(!strcmp(small, "abcabca"));
    CHECK_EQ(text.used, 7);
}

TEST(options)
{
    struct options o;
    options_parse(&o, "quiet console=all  onidle=poweroff");
    CHECK(o.console_all && o.onidle_poweroff);
    options_parse(&o, "console=allx xonidle=poweroff onidle=power");
    CHECK(!o.console_all && !o.onidle_poweroff);
}

TEST(real_time_clock)
{
    struct rtc_raw bcd = {0x56, 0x34, 0x12, 0x29, 0x02, 0x24, 0x20, 0x02};
    CHECK_EQ(rtc_decode(&bcd), 1709210096); /* 2024-02-29 12:34:56 */
    struct rtc_raw binary = {0, 0, 0x80 | 12, 1, 1, 26, 0, 0x04};
    CHECK_EQ(rtc_decode(&binary), 1767268800); /* 2026-01-01 12:00 pm */
    binary.hour = 12;
    CHECK_EQ(rtc_decode(&binary), 1767225600); /* 12:00 am */
    struct rtc_raw bad = {0, 0, 0, 0, 0x13, 0, 0x20, 2};
    CHECK_EQ(rtc_decode(&bad), 0);
}
