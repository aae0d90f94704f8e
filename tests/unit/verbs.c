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
uint64_t time_tsc(void)
{
    return 1;
}
uint64_t time_ns_to_tsc(uint64_t ns)
{
    return ns;
}

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
int64_t client_stats(const char *name, uint32_t vcpu, struct mgr_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->vcpus = 2;
    stats->vm_state = VM_RUNNING;
    stats->host_cpu = vcpu + 2;
    stats->state = vcpu; /* vCPU 1 is halted */
    stats->memory = 1 << 20;
    stats->balloon_pages = 16;
    stats->cpuset[0] = 5;
    stats->stat[0] = 77 + vcpu;
    return find(name) ? 0 : -1;
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

#include "console/format.c"
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
    CHECK(strstr(bytes, "Domain: 'alpha'\n  state.state=1\n  balloon.current=960\n"));
    CHECK(strstr(bytes, "  vcpu.0.exits.sum=77\n") && strstr(bytes, "  vcpu.1.exits.sum=78\n"));
    run("vcpuinfo alpha");
    CHECK(strstr(bytes, "VCPU:           0\nCPU:            2\nState:          running\n"));
    CHECK(strstr(bytes, "VCPU:           1\nCPU:            3\nState:          idle\n"));
    CHECK(strstr(bytes, "CPU Affinity:   y-y-\n"));
    CHECK(strstr(run("nodeinfo"), "CPU(s):              4\nCPU frequency:       2300 MHz\n"));
    CHECK(strstr(run("domstats"), "Domain: 'beta'") && !strstr(bytes, "a-long-name"));
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
