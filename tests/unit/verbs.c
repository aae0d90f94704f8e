/* SPDX-License-Identifier: BSD-2-Clause */
/* What the console understands and prints, over a faked manager; and the manager's small helpers.
 */
#include "test.h"
#include "tests/unit/fake/client.h"
#include "tests/unit/fake/hostnet.h"
#include "lib/cpulist.c"
#include "console/format.c"
#include "console/verbs_tune.c"
#include "console/verbs_iface.c"
#include "console/verbs_capture.c"
#include "console/verbs_network.c"
#include "console/verbs_cpu.c"
#define change change_cpupool
#include "console/verbs_cpupool.c"
#undef change
#include "console/verbs_dirty.c"
#include "console/verbs_trace.c"
#include "console/verbs_host.c"
#include "console/verbs_domif.c"
#include "console/verbs_pool.c"
#include "console/top.c"
#include "console/command.c"
#include "console/verbs.c"
#include "manager/options.c"
#include "manager/host/rtc.c"

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

TEST(iface_list)
{
    run("iface-list");
    CHECK(strstr(bytes,
                 " eth3   active    52:54:00:00:00:03  e1000   82540EM  0000:00:02.0   1000  "
                 "lan\n"));
    CHECK(strstr(bytes, " eth8   no link ")); /* and those that do not fit into one reply */
    CHECK(strstr(bytes, " eth9   active"));
    CHECK(!strstr(bytes, "rx_packets"));
    run("iface-list --all");
    CHECK(strstr(bytes, "eth9 rx_packets 109\n"));
}

TEST(nodedev_list)
{
    run("nodedev-list");
    CHECK(!strncmp(bytes, "pci_0000_00_00_0\npci_0000_00_01_0\n", 34));
    CHECK(strstr(bytes, "pci_0000_00_0f_0\npci_0000_00_10_0\n")); /* over two calls */
    CHECK(strstr(bytes, "pci_0000_00_13_0\n\n") && !strstr(bytes, "_14_"));
}

TEST(networks)
{
    run("net-list");
    CHECK(strstr(bytes, " net0                   active     yes         yes\n"));
    CHECK(strstr(bytes, " net19 ") && !strstr(bytes, " net20 "));
    run("net-info net17");
    CHECK(strstr(bytes, "Name:           net17\nUUID:           ab000000-0000-"));
    CHECK(strstr(bytes, "MTU:            9000\n") &&
          strstr(bytes, "Switch:         7 restarts, 1234 us of CPU\n"));
    CHECK(strstr(bytes, " alpha net17            guest     52:00:00:00:00:09   trunk/5      up     "
                        "3\n"));
    CHECK(strstr(bytes, " eth0                   uplink    -                   -            down   "
                        "0\n"));
    CHECK(strstr(bytes, "alpha net17: tx_bytes 42\neth0:\n"));
    CHECK(strstr(run("net-info none"), "error: failed to get network 'none'"));
}

TEST(net_capture)
{
    static const char want[] = "-----BEGIN PCAP-----\n"
                               "TTyyoQIABAAAAAAAAAAAAAABAAABAAAAAQAAAAIAAAADAAAAPAAAAGFiYwEAAAAC\n"
                               "AAAAAwAAADwAAABhYmM=\n"
                               "-----END PCAP-----\n2 frames, 5 more had no room\n\n";
    CHECK(!strcmp(run("net-capture lan alpha vnet0 2"), want));
    CHECK_EQ(captures, 0);
    CHECK(strstr(run("net-capture lan alpha vnet0"), "32 frames"));
    CHECK(strstr(run("net-capture lan alpha vnet0 999"), "100 frames")); /* in its time */
    CHECK(strstr(run("net-capture lan eth0"), "error: "));
    CHECK(strstr(run("net-capture lan"), "error: net-capture <network> <port> [<frames>]"));
    CHECK(strstr(run("net-capture lan alpha 0"), "error: net-capture <network> <port> [<frames>]"));
}

TEST(disks)
{
    CHECK(!strcmp(run("domblklist alpha"),
                  " Target   Source\n--------------------------\n vda      images/root.img\n"
                  " vdb      tank/root\n\n"));
    run("domblkstat alpha vdb");
    CHECK(!strncmp(bytes, "vdb rd_req 0\n", 13) && strstr(bytes, "\nvdb wr_req 42\n"));
    CHECK(!strstr(bytes, "vda"));
    CHECK(strstr(run("domblkstat alpha"), "vda errs 0\n\nvdb rd_req"));
    CHECK(strstr(run("domblkstat alpha vdx"), "error: invalid path 'vdx'"));
    CHECK(strstr(run("domblklist nobody"), "error: failed to get domain"));
}

TEST(interfaces)
{
    CHECK(!strcmp(run("domiflist alpha"),
                  " Interface   Type      Source    Model    MAC\n"
                  "------------------------------------------------------------\n"
                  " vnet0       network   lan       virtio   52:54:00:00:00:00\n"
                  " web         bridge    outside   e1000    00:00:00:00:00:00\n\n"));
    run("domifstat alpha vnet0");
    CHECK(!strncmp(bytes, "vnet0 rx_bytes 0\nvnet0 rx_packets 17\n", 37) && !strstr(bytes, "web"));
    CHECK(strstr(run("domifstat alpha"), "\nweb tx_drop 0\n"));
    CHECK(strstr(run("domifstat alpha eth7"), "error: interface (dev: eth7) not found"));
    CHECK(!strcmp(run("domif-getlink alpha 52:54:00:00:00:00"), "52:54:00:00:00:00 up\n\n"));
    CHECK(!strcmp(run("domif-getlink alpha web"), "web down\n\n"));
    CHECK(strstr(run("domif-getlink alpha"), "requires <interface>"));
    CHECK(!strcmp(run("domif-setlink alpha web up"), "Device updated successfully\n\n"));
    CHECK(!strcmp(last_link, "web 1"));
    CHECK(strstr(run("domif-setlink alpha web sideways"), "error: invalid link state 'sideways'"));
    CHECK(strstr(run("domif-setlink alpha web"), "requires <state>"));
    CHECK(strstr(run("domif-setlink nobody web down"), "error: failed to get domain"));
    CHECK(!strcmp(last_link, "web 0"));
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

TEST(dirty_rate)
{
    fake_dirty = (struct vmm_dirty){.pages = 5120, .ns = 2000000000ull};
    run("domdirtyrate-calc alpha 2");
    CHECK(strstr(bytes, "Domain: 'alpha'\n  dirtyrate.calc_status=2\n  dirtyrate.calc_period=2\n"));
    CHECK(strstr(bytes, "  dirtyrate.calc_mode=dirty-bitmap\n"));
    CHECK(strstr(bytes, "  dirtyrate.megabytes_per_second=9\n  dirtyrate.pages=5120\n\n"));
    CHECK_EQ(last_dirty, 0);
    fake_dirty.status = ERR_CPU;
    CHECK(strstr(run("domdirtyrate-calc alpha"), "do not tell which pages"));
    fake_dirty.status = ERR_QUOTA;
    CHECK(strstr(run("domdirtyrate-calc alpha"), "cannot be counted"));
    fake_dirty.status = ERR_STATE;
    CHECK(strstr(run("domdirtyrate-calc alpha"), "cannot be counted"));
    last_dirty = -1;
    CHECK(strstr(run("domdirtyrate-calc alpha 61"), "seconds from 1 to 60"));
    CHECK(strstr(run("domdirtyrate-calc alpha 1x"), "seconds from 1 to 60"));
    CHECK(strstr(run("domdirtyrate-calc alpha 0"), "seconds from 1 to 60"));
    CHECK_EQ(last_dirty, -1);
    fake_dirty = (struct vmm_dirty){0};
}

TEST(dirty_rate_of_each_vcpu)
{
    char out[512] = "";
    struct text text = {out, sizeof(out), 0};
    uint64_t before[VMM_MAX_VCPUS] = {1000, 1000};
    fake_dirty = (struct vmm_dirty){.pages = 700, .ns = 999000000, .logged = 1};
    last_dirty = 0;
    add_rates(&text, "alpha", before);
    CHECK(strstr(out, "  dirtyrate.calc_mode=dirty-ring\n  dirtyrate.megabytes_per_second=2\n"));
    CHECK(strstr(out, "  dirtyrate.vcpu.0.pages=256\n"));
    CHECK(strstr(out, "  dirtyrate.vcpu.1.megabytes_per_second=2\n"));
    fake_dirty = (struct vmm_dirty){0};
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
    CHECK(!strcmp(verbs_candidate(NULL, 1, "help", 1), "cpu-offline"));
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

static const char *ip6(const char *hex)
{
    struct ip_address a = {.family = 6};
    for (uint32_t i = 0; i < 16; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        a.address[i] = (uint8_t)byte;
    }
    return address(&a);
}

TEST(addresses_are_written_as_rfc_5952_says)
{
    CHECK(!strcmp(ip6("20010db8000000000000000000000001"), "2001:db8::1"));
    CHECK(!strcmp(ip6("00000000000000000000000000000000"), "::"));
    CHECK(!strcmp(ip6("00000000000000000000000000000001"), "::1"));
    CHECK(!strcmp(ip6("fe800000000000000000000000000000"), "fe80::"));
    CHECK(!strcmp(ip6("20010db8000000010001000100010001"), "2001:db8:0:1:1:1:1:1"));
    CHECK(!strcmp(ip6("20010000000000010000000000000001"), "2001:0:0:1::1"));
    CHECK(!strcmp(ip6("20010db8000000000001000000000001"), "2001:db8::1:0:0:1"));
}

TEST(host_addresses)
{
    struct ip_status *s = &fake_hostnet.status;
    memset(&fake_hostnet, 0, sizeof(fake_hostnet));
    CHECK(!strcmp(run("host-addresses"), "The host has no management network\n\n"));
    snprintf(fake_hostnet.network, sizeof(fake_hostnet.network), "lan");
    CHECK(strstr(run("host-addresses"), "State:          starting\n"));
    fake_hostnet.running = s->link = s->addresses = s->dns_servers = 1;
    fake_hostnet.mac[5] = 0xab;
    s->address[0] = (struct ip_address){.family = 4, .prefix = 24, .address = {10, 0, 2, 15}};
    s->dns[0] = (struct ip_address){.family = 4, .address = {10, 0, 2, 3}};
    s->ntp_synced = 1;
    s->ntp_offset_ns = -1500000000;
    snprintf(s->ntp_server, sizeof(s->ntp_server), "10.0.2.2");
    run("host-addresses");
    CHECK(strstr(bytes, "MAC address:    00:00:00:00:00:ab\nState:          up\n"));
    CHECK(strstr(bytes, "Address:        10.0.2.15/24\n"));
    CHECK(strstr(bytes, "Name server:    10.0.2.3\n"));
    CHECK(strstr(bytes, "10.0.2.2, clock moved by -1.500000 s, round trip 0.000 ms\n"));
}

TEST(ping)
{
    memset(&fake_hostnet, 0, sizeof(fake_hostnet));
    CHECK(strstr(run("ping 10.0.2.2"), "error: failed"));
    snprintf(fake_hostnet.network, sizeof(fake_hostnet.network), "lan");
    fake_ping = (struct ip_ping){.state = IP_PING_DONE, .count = 2, .sent = 2, .received = 1};
    fake_ping.target = (struct ip_address){.family = 4, .address = {10, 0, 2, 2}};
    fake_ping.reply[0] = (struct ip_ping_reply){.state = 2, .ttl = 255, .ns = 1234567};
    fake_ping.reply[1].state = 3;
    CHECK(!strcmp(run("ping 10.0.2.2 2"),
                  "PING 10.0.2.2 (10.0.2.2) 56(84) bytes of data.\n"
                  "64 bytes from 10.0.2.2: icmp_seq=1 ttl=255 time=1.234 ms\n"
                  "no answer yet for icmp_seq=2\n"
                  "2 packets transmitted, 1 received, 50% packet loss\n\n"));
    CHECK(pings == 2 && !strcmp(pinged, "10.0.2.2"));
    run("ping host");
    CHECK_EQ(pings, 4);
    CHECK(strstr(run("ping host 21"), "error: ping <host>"));
    CHECK(strstr(run("ping host 2x"), "error: ping <host>"));
    CHECK(strstr(run("ping"), "error: ping <host>"));
    CHECK(strstr(run("ping host 2 3"), "unexpected data '3'"));
    fake_ping.state = IP_PING_RUNS; /* for ever: nobody works on it */
    CHECK(strstr(run("ping host"), "restarted"));
    fake_ping.state = IP_PING_FAILED;
    snprintf(fake_ping.reason, sizeof(fake_ping.reason), "Name or service not known");
    CHECK(!strcmp(run("ping host"), "ping: host: Name or service not known\n\n"));
}

TEST(host_cpus)
{
    CHECK(!strcmp(run("nodecpumap"),
                  "CPUs present:   4\nCPUs online:    4\nCPU map:        yyyy\n\n"));
    CHECK(!strcmp(run("cpu-offline 0"), "CPU 0 is offline\n\n"));
    CHECK(!strcmp(run("cpu-online 3"), "CPU 3 is online\n\n"));
    CHECK(strstr(run("cpu-online 4"), "error: "));
    CHECK(strstr(run("cpu-offline"), "is not the number of a CPU"));
    CHECK(strstr(run("cpu-offline 1x"), "is not the number of a CPU"));
    CHECK(strstr(run("cpu-offline 4294967296"), "is not the number of a CPU"));
}

TEST(cpu_pools)
{
    CHECK(strstr(run("cpupool-list"), " -                    2        0-1\n"
                                      " real                 1        2-3\n"));
    CHECK(!strcmp(run("cpupool-create real 2-3"), "CPU pool 'real' created\n\n"));
    CHECK(!strcmp(last_pool, "0 real") && !strcmp(last_pool_set.text, "2-3"));
    CHECK(!strcmp(run("cpupool-destroy real"), "CPU pool 'real' destroyed\n\n"));
    run("cpupool-cpu-add real 4");
    CHECK(!strcmp(last_pool, "2 real") && !strcmp(last_pool_set.text, "4"));
    run("cpupool-cpu-remove real 4");
    CHECK(!strcmp(last_pool, "3 real"));
    CHECK(!strcmp(run("cpupool-migrate alpha real"), "Domain 'alpha' migrated\n\n"));
    CHECK(!strcmp(last_pool, "4 alpha") && !strcmp(last_pool_set.text, "real"));
    run("cpupool-migrate alpha -");
    CHECK(!last_pool_set.text[0]);
    CHECK(strstr(run("cpupool-create wrong 1"), "error: "));
    CHECK(strstr(run("cpupool-create real"), "error: command 'cpupool-create' requires two"));
    CHECK(strstr(run("cpupool-destroy"), "requires a pool's name"));
    CHECK(strstr(run("cpupool-migrate"), "requires <domain>"));
}

TEST(pools)
{
    CHECK(
        strstr(run("pool-list"), "tank                 active               2048           1024"));
    CHECK(strstr(run("vol-list tank"),
                 "root                                       1024            192  in use"));
    CHECK(!strstr(bytes, "one") && strstr(run("vol-list lake"), "error: "));
    CHECK(!strcmp(run("vol-create tank data 2G"), "Vol data created\n\n"));
    CHECK_EQ(last_order.verb, POOL_CREATE);
    CHECK_EQ(last_order.sectors, 4u << 20);
    CHECK(!strcmp(last_order.name[0], "data") && !strcmp(last_order_name, "tank"));
    CHECK(strstr(run("vol-create tank data -1"), "error: the capacity"));
    CHECK(strstr(run("vol-create tank data 1GX"), "error: the capacity"));
    CHECK(strstr(run("vol-create tank data"), "error: usage: vol-create"));
    CHECK(!strcmp(run("vol-clone root@one copy --pool tank"), "Vol copy cloned from root@one\n\n"));
    CHECK(last_order.verb == POOL_CLONE && !strcmp(last_order.to, "copy"));
    CHECK(strstr(run("vol-clone root copy"), "error: usage: "));
    CHECK(!strcmp(run("vol-delete copy --pool=tank"), "Vol copy deleted\n\n"));
    CHECK(!strcmp(run("pool-grow tank"), "Pool tank is larger\n\n"));
    CHECK(last_order.verb == POOL_GROW && !last_order.sectors && !strcmp(last_order_name, "tank"));
    CHECK(strstr(run("pool-grow tank 1G"), "is larger") && last_order.sectors == 2u << 20);
    CHECK(strstr(run("pool-grow tank more"), "error: the capacity"));
    CHECK(strstr(run("vol-resize root 1M --pool tank --shrink"), "successfully changed to 1M"));
    CHECK(last_order.flags == POOL_ORDER_SHRINK && last_order.sectors == 2048);
}

TEST(snapshots)
{
    CHECK(!strcmp(run("snapshot-create alpha one"), "Domain snapshot one created\n\n"));
    CHECK(last_order.verb == POOL_SNAPSHOT && !last_order.names && !strcmp(last_order.to, "one"));
    CHECK(strstr(run("snapshot-list alpha"),
                 " one                      root                                 77\n"));
    CHECK(!strstr(bytes, "two"));
    CHECK(strstr(run("snapshot-revert alpha one"), "reverted to snapshot one"));
    CHECK(last_order.verb == POOL_REVERT && !strcmp(last_order_name, "alpha"));
    CHECK(strstr(run("snapshot-delete alpha one"), "Domain snapshot one deleted"));
    CHECK(last_order.verb == POOL_DELETE && !strcmp(last_order.name[0], "root@one"));
    CHECK(strstr(run("snapshot-create nobody one"), "error: "));
}
