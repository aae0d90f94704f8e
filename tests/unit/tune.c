/* SPDX-License-Identifier: BSD-2-Clause */
/* <cputune>, <numatune>, reservations: libvirt's ranges, and settings that contradict each other.
 */
#include "test.h"
#include "lib/cpulist.c"
#include "manager/definition/domain_value.c"
#include "manager/definition/domain_xml.c"
#include "manager/definition/domain_elements.c"
#include "manager/definition/domain_cputune.c"
#include "manager/definition/tune.c"
#include "manager/definition/domain_devices.c"
#include "manager/definition/domain_disk.c"
#include "manager/definition/ip_text.c"
#include "manager/definition/network_value.c"
#include "manager/definition/domain_interface.c"

static struct domain domain;
static char error[DOMAIN_XML_ERROR];

#define POOL(x) "<metadata><m:cpupool xmlns:m='" DOMAIN_XML_NAMESPACE "' " x "/></metadata>"
#define MD(x)   "<metadata><m:reservation xmlns:m='" DOMAIN_XML_NAMESPACE "' " x "/></metadata>"

/* `extra` begins in line 5. */
static bool read_with(const char *extra)
{
    char text[8192];
    snprintf(text, sizeof(text),
             "<domain type='kvm'>\n<name>a</name>\n<memory>1024</memory>\n<os><type>hvm</type>"
             "<kernel>k</kernel></os>\n%s</domain>\n",
             extra);
    return domain_xml_read("t.xml", text, strlen(text), &domain, error);
}

static bool good(const char *extra)
{
    bool fine = read_with(extra);
    if (!fine)
        printf("  refused: %s\n", error);
    return fine;
}

static bool refused(const char *extra, const char *message)
{
    if (!read_with(extra) && strstr(error, message))
        return true;
    printf("  got \"%s\", expected \"%s\"\n", error, message);
    return false;
}

TEST(nothing_given)
{
    CHECK(good(""));
    struct tune_limit l = tune_effective(&domain.tune.each);
    CHECK(l.period == 100000 && l.quota == -1);
    struct tune_set set = tune_allowed(&domain.tune, 0, NULL, NULL);
    CHECK_EQ(tune_set_count(&set), 256);
    CHECK_EQ(tune_promised_ppm(&domain.tune, 0), 0);
    CHECK(!domain.tune.shares && !domain.tune.numa);
}

TEST(everything_given)
{
    CHECK(good("<vcpu cpuset='0-3'>2</vcpu><iothreads>1</iothreads><cputune><shares>2048</shares>"
               "<period>50000</period><quota>-1</quota><emulator_period>20000</emulator_period>"
               "<emulator_quota>5000</emulator_quota><vcpupin vcpu='1' cpuset='1-4,^2'/>"
               "<emulatorpin cpuset='0,1'/><iothreadpin iothread='1' cpuset='1,2'/>"
               "<vcpusched vcpus='0' scheduler='rr' priority='7'/>"
               "<emulatorsched scheduler='idle'/></cputune>"
               "<numatune><memory mode='strict' nodeset='0-1'/></numatune>"));
    const struct tune *t = &domain.tune;
    CHECK_EQ(t->shares, 2048);
    CHECK(t->each.period == 50000 && t->each.quota == -1);
    CHECK(t->emulator.period == 20000 && t->emulator.quota == 5000);
    CHECK(t->vcpu[0].scheduler == TUNE_RR && t->vcpu[0].priority == 7);
    CHECK(t->vcpu[1].scheduler == TUNE_OTHER && t->emulator_thread.scheduler == TUNE_IDLE);
    CHECK_EQ(tune_allowed(&domain.tune, 0, NULL, NULL).word[0], 0xf);
    CHECK_EQ(tune_allowed(&domain.tune, 1, NULL, NULL).word[0], 0x1a);
    CHECK_EQ(tune_allowed(&domain.tune, TUNE_EMULATOR, NULL, NULL).word[0], 0x2);
    CHECK(t->numa == TUNE_NUMA_STRICT && t->nodes == 3);
}

#define TUNE(x) "<cputune>" x "</cputune>"

TEST(ranges)
{
    CHECK(good(TUNE("<shares>2</shares>")) && good(TUNE("<shares>262144</shares>")));
    CHECK(refused(TUNE("<shares>1</shares>"), "t.xml:5: <domain/cputune/shares>: \"1\" is not a "
                                              "number from 2 to 262144"));
    CHECK(refused(TUNE("<shares>262145</shares>"), "2 to 262144"));
    CHECK(refused(TUNE("<shares>-5</shares>"), "2 to 262144"));
    CHECK(good(TUNE("<period>1000</period><quota>1000</quota>")));
    CHECK(good(TUNE("<period>0</period><quota>0</quota>")));
    CHECK(refused(TUNE("<period>999</period>"), "from 1000 to 1000000"));
    CHECK(refused(TUNE("<emulator_period>1000001</emulator_period>"), "from 1000 to 1000000"));
    CHECK(refused(TUNE("<quota>999</quota>"), "from 1000 to 17592186044415, or negative"));
    CHECK(refused(TUNE("<quota>17592186044416</quota>"), "or negative"));
    CHECK(good(TUNE("<quota>17592186044415</quota>")));
    CHECK(refused(TUNE("<quota>x</quota>"), "<domain/cputune/quota>: \"x\""));
    CHECK(refused(TUNE("<quota>5000</quota><quota>5000</quota>"), "given twice"));
    CHECK(refused(TUNE("<period>5000</period>\n<period>5000</period>"), "t.xml:6: "));
}

TEST(pins)
{
    CHECK(refused(TUNE("\n<vcpupin vcpu='1' cpuset='0'/>"),
                  "t.xml:6: <domain/cputune/vcpupin>: there is no vCPU 1; <vcpu> makes 1"));
    CHECK(refused(TUNE("<vcpupin vcpu='0' cpuset='0'/>\n<vcpupin vcpu='0' cpuset='1'/>"),
                  "pinned twice, first in line 5"));
    CHECK(refused(TUNE("<vcpupin vcpu='64' cpuset='0'/>"), "vcpu=\"64\" is not a number"));
    CHECK(refused(TUNE("<vcpupin cpuset='0'/>"), "vcpu=\"\" is not"));
    CHECK(refused(TUNE("<vcpupin vcpu='0'/>"), "cpuset=\"\" is not a list"));
    CHECK(refused(TUNE("<vcpupin vcpu='0' cpuset='1,^1'/>"), "is not a list of CPUs"));
    CHECK(refused(TUNE("<emulatorpin cpuset='256'/>"), "is not a list of CPUs"));
    CHECK(refused("<vcpu cpuset='3,^3'>1</vcpu>", "leaves no CPU"));
}

TEST(iothreads)
{
    CHECK(refused("<iothreads>2</iothreads>", "is not 0 or 1"));
    CHECK(refused(TUNE("<iothreadpin iothread='1' cpuset='0'/>"), "no I/O thread 1"));
    CHECK(refused(TUNE("<iothreadpin iothread='2' cpuset='0'/>"), "at most one I/O thread"));
    CHECK(refused("<iothreads>1</iothreads>" TUNE(
                      "<emulatorpin cpuset='0'/>\n<iothreadpin iothread='1' cpuset='1'/>"),
                  "t.xml:6: <domain/cputune/iothreadpin>: the I/O thread is the emulator's, which "
                  "<emulatorpin> keeps on other CPUs"));
    CHECK(good(TUNE("<iothread_quota>-1</iothread_quota>")));
    CHECK(refused(TUNE("<iothread_quota>5000</iothread_quota>"), "<emulator_quota> limits it"));
}

TEST(schedulers)
{
    CHECK(refused(TUNE("<vcpusched vcpus='0' scheduler='fifo'/>"), "needs one from 1 to 99"));
    CHECK(refused(TUNE("<vcpusched vcpus='0' scheduler='rr' priority='100'/>"), "1 to 99"));
    CHECK(refused(TUNE("<vcpusched vcpus='0' scheduler='batch' priority='1'/>"), "has none"));
    CHECK(refused(TUNE("<vcpusched vcpus='0' scheduler='deadline'/>"), "batch|idle|fifo|rr"));
    CHECK(refused(TUNE("<vcpusched scheduler='idle'/>"), "vcpus=\"\" is not a list"));
    CHECK(refused(TUNE("<vcpusched vcpus='0'/>"), "attribute scheduler is missing"));
    CHECK(refused("<vcpu>4</vcpu>" TUNE("<vcpusched vcpus='0-2' scheduler='idle'/>"
                                        "<vcpusched vcpus='2-3' scheduler='batch'/>"),
                  "vCPU 2 is named twice"));
    CHECK(refused(TUNE("<vcpusched vcpus='0-1' scheduler='idle'/>"), "there is no vCPU 1"));
}

TEST(reservations)
{
    CHECK(good(MD("budget='2000' period='10000'")));
    CHECK_EQ(tune_promised_ppm(&domain.tune, 0), 200000);
    CHECK(refused(MD("budget='2000' period='1000'"), "budget=\"2000\" is more than period"));
    CHECK(refused(MD("budget='99' period='1000'"), "from 100 to 10000000"));
    CHECK(refused(MD("period='1000'"), "budget=\"\" is not"));
    CHECK(refused(MD("vcpus='1' budget='200' period='1000'"), "there is no vCPU 1"));
    CHECK(refused(MD("budget='200' period='1000'")
                      TUNE("<vcpusched vcpus='0' scheduler='fifo' priority='3'/>"),
                  "<domain/metadata/mullion:reservation>: vCPU 0 has a reservation, and another "
                  "scheduler in line 5"));
    CHECK(refused(MD("budget='2000' period='10000'") TUNE("<quota>10000</quota>"),
                  "is promised 2000 us every 10000 us, but <quota> allows it only 10000 us every "
                  "100000 us"));
    CHECK(good(MD("budget='2000' period='10000'") TUNE("<quota>20000</quota>")));
    CHECK(good("<metadata><m:domain xmlns:m='" DOMAIN_XML_NAMESPACE
               "'><m:start order='1'/><m:reservation budget='100' period='300'/></m:domain>"
               "</metadata>"));
    CHECK_EQ(tune_promised_ppm(&domain.tune, 0), 333334);
}

TEST(sums_that_do_not_fit)
{
    CHECK(refused("<vcpu cpuset='1'>2</vcpu>" MD("budget='600' period='1000'"),
                  "the guest's reservations on CPUs 1 make 120.0 % of a CPU; there are 95 %"));
    CHECK(good("<vcpu cpuset='1-2'>2</vcpu>" MD("budget='600' period='1000'")));
    /* Two that may only run on CPU 1 do not fit, though all three would fit on 0 and 1. */
    CHECK(refused("<vcpu cpuset='0-1'>3</vcpu>" MD("budget='600' period='1000'")
                      TUNE("<vcpupin vcpu='1' cpuset='1'/><vcpupin vcpu='2' cpuset='1'/>"),
                  "on CPUs 1 make 120.0 %"));
    struct tune_fault fault;
    struct tune_set host = {{1, 0, 0, 0}};
    CHECK(good("<vcpu>2</vcpu>" MD("budget='600' period='1000'")));
    CHECK(tune_check(&domain.tune, NULL, &fault));
    CHECK(!tune_check(&domain.tune, &host, &fault) && strstr(fault.why, "on CPUs 0 make 120.0 %"));
    CHECK_EQ(fault.line, 5);
    host.word[0] = 3;
    CHECK(tune_check(&domain.tune, &host, &fault));
}

TEST(global_limits)
{
    CHECK(good(TUNE("<global_period>100000</global_period><global_quota>-1</global_quota>")));
    CHECK(refused("<vcpu>2</vcpu>" TUNE("<global_quota>100000</global_quota>"),
                  "2 vCPUs and the emulator may take 300000 us"));
    CHECK(good("<vcpu>2</vcpu>" TUNE("<global_quota>300000</global_quota>")));
    CHECK(good("<vcpu>2</vcpu>" TUNE("<global_quota>120000</global_quota><quota>50000</quota>"
                                     "<emulator_quota>20000</emulator_quota>")));
    CHECK(refused("<vcpu>2</vcpu>" TUNE("<global_quota>119999</global_quota><quota>50000</quota>"
                                        "<emulator_quota>20000</emulator_quota>"),
                  "<domain/cputune/global_quota>: 119999 us every 100000 us"));
}

TEST(host_without_the_cpus)
{
    struct tune_fault fault;
    struct tune_set host = {{3, 0, 0, 0}};
    CHECK(good("<vcpu>2</vcpu>" TUNE("\n<vcpupin vcpu='1' cpuset='2-3,6'/>")));
    CHECK(!tune_check(&domain.tune, &host, &fault) && fault.line == 6);
    CHECK(!strcmp(fault.path, "cputune/vcpupin"));
    CHECK(!strcmp(fault.why, "this host has CPUs 0-1, none of 2-3,6"));
    CHECK(good(TUNE("<vcpupin vcpu='0' cpuset='1-9'/><emulatorpin cpuset='2'/>")));
    CHECK(!tune_check(&domain.tune, &host, &fault) && !strcmp(fault.path, "cputune/emulatorpin"));
    CHECK(good("<vcpu cpuset='5'>1</vcpu>") && !tune_check(&domain.tune, &host, &fault));
    CHECK(!strcmp(fault.path, "vcpu"));
}

TEST(numa)
{
    CHECK(good("<numatune><memory mode='preferred' nodeset='1'/></numatune>"));
    CHECK_EQ(domain.tune.numa, TUNE_NUMA_PREFERRED);
    CHECK(refused("<numatune><memory mode='preferred' nodeset='0-1'/></numatune>", "one node"));
    CHECK(refused("<numatune><memory mode='interleave' nodeset='0'/></numatune>", "not spread"));
    CHECK(refused("<numatune><memory placement='auto'/></numatune>", "possible: static"));
    CHECK(refused("<numatune><memory/></numatune>", "nodeset=\"\" is not a list of nodes"));
    CHECK(refused("<numatune><memnode cellid='0'/></numatune>", "one memory node"));
}

TEST(lists_as_text)
{
    uint64_t set[2] = {0x800000000000002full, 3};
    char text[CPULIST_TEXT];
    cpulist_format(set, 128, text, sizeof(text));
    CHECK(!strcmp(text, "0-3,5,63-65"));
    cpulist_format(set, 64, text, sizeof(text));
    CHECK(!strcmp(text, "0-3,5,63"));
    cpulist_format(set, 128, text, 9);
    CHECK(!strcmp(text, "0-3,5..."));
    cpulist_format(set, 0, text, sizeof(text));
    CHECK(!strcmp(text, "none"));
    cpulist_format(set, 128, text, 4);
    CHECK(!text[0]);
}

TEST(cpu_pools)
{
    static const struct tune_set host = {{0xc}};
    struct tune_fault fault;
    CHECK(good(POOL("name='real-time_1.x'")) && !strcmp(domain.tune.pool, "real-time_1.x"));
    CHECK_EQ(domain.tune.pool_line, 5);
    CHECK(tune_check(&domain.tune, &host, &fault));
    CHECK(good("<metadata><m:domain xmlns:m='" DOMAIN_XML_NAMESPACE "'>"
               "<m:cpupool name='a'/><m:start order='1'/></m:domain></metadata>"));
    CHECK(!strcmp(domain.tune.pool, "a"));
    CHECK(good("<vcpu cpuset='0-1'>1</vcpu>" POOL("name='a'")));
    CHECK(!tune_check(&domain.tune, &host, &fault) && fault.line == 5);
    CHECK(!strcmp(fault.path, "vcpu"));
    CHECK(strstr(fault.why, "CPU pool 'a' has CPUs 2-3, none of 0-1"));
    CHECK(refused(POOL(""), "t.xml:5: <domain/metadata/mullion:cpupool>: name=\"\" is not 1 to 31 "
                            "letters, digits or _-.+"));
    CHECK(refused(POOL("name='a b'"), "name=\"a b\" is not"));
    CHECK(refused(POOL("name='01234567890123456789012345678901'"), "is not 1 to 31"));
    CHECK(refused(POOL("cpus='1'"), "attribute cpus is not supported"));
    CHECK(
        refused("<metadata><m:domain xmlns:m='" DOMAIN_XML_NAMESPACE "'><m:cpupool name='a'/>\n"
                "<m:cpupool name='b'/></m:domain></metadata>",
                "t.xml:6: <domain/metadata/mullion:domain/mullion:cpupool>: given twice, first in "
                "line 5"));
}
