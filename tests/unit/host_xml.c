/* SPDX-License-Identifier: BSD-2-Clause */
/* <host>: what is read, and what is refused, by place; and the addresses in it. */
#include "test.h"
#include "manager/definition/domain_value.c"
#include "manager/definition/domain_xml.c"
#include "manager/definition/domain_elements.c"
#include "manager/definition/domain_cputune.c"
#include "manager/definition/tune.c"
#include "lib/cpulist.c"
#include "manager/definition/domain_devices.c"
#include "manager/definition/domain_disk.c"
#include "manager/definition/ip_text.c"
#include "manager/definition/network_value.c"
#include "manager/definition/domain_interface.c"
#include "manager/definition/inet_value.c"
#include "manager/definition/host_xml.c"

static struct host_net net;
static char error[DOMAIN_XML_ERROR];

static bool read_text(const char *text)
{
    return host_xml_read("host.xml", text, strlen(text), &net, error);
}

#define MANAGEMENT "<management network='lan' mac='52:54:00:12:34:56'>\n"
static bool read_with(const char *inside)
{
    char text[4096];
    snprintf(text, sizeof(text), "<host>\n" MANAGEMENT "%s\n</management>\n</host>\n", inside);
    return read_text(text);
}

static bool refused(const char *inside, const char *message)
{
    if (read_with(inside) || !strstr(error, message)) {
        printf("  got \"%s\", expected \"%s\"\n", error, message);
        return false;
    }
    return true;
}

TEST(everything)
{
    CHECK(read_text("<?xml version='1.0'?>\n<host>\n<hostname>mullion-1.example</hostname>\n"
                    "<management network='lan' mac='52:54:00:12:34:56' vlan='7'>\n"
                    "<ip mode='static' address='192.0.2.10' prefix='24' gateway='192.0.2.1'/>\n"
                    "<ipv6 mode='static' address='2001:db8::10' gateway='fe80::1'/>\n"
                    "<dns server='192.0.2.2'/><dns server='2001:db8::2'/>\n"
                    "<ntp server='ntp.example'/><ntp server='192.0.2.3'/>\n"
                    "<syslog server='log.example' port='5514'/>\n<http port='80'/>\n"
                    "</management>\n</host>\n"));
    const struct ip_config *ip = &net.ip;
    CHECK(!strcmp(net.network, "lan") && !strcmp(net.file, "host.xml"));
    CHECK_EQ(net.line, 4);
    CHECK_EQ(net.vlan, 7);
    CHECK(!memcmp(ip->mac, "\x52\x54\0\x12\x34\x56", 6));
    CHECK(ip->mode4 == IP_MODE_STATIC && ip->mode6 == IP_MODE_STATIC);
    CHECK(ip->address4.prefix == 24 && !memcmp(ip->address4.address, "\xc0\0\x02\x0a", 4));
    CHECK(ip->gateway4.family == 4 && ip->gateway6.family == 6 && ip->address6.prefix == 64);
    CHECK(ip->dns[0].family == 4 && ip->dns[1].family == 6 && !ip->dns[2].family);
    CHECK(!strcmp(ip->ntp[0], "ntp.example") && !strcmp(ip->ntp[1], "192.0.2.3"));
    CHECK(!strcmp(ip->syslog, "log.example") && ip->syslog_port == 5514 && ip->http_port == 80);
    CHECK(!strcmp(ip->hostname, "mullion-1.example"));
}

TEST(the_least)
{
    CHECK(read_text("<host/>") && !net.has_management);
    CHECK(read_with("<ip mode='dhcp'/>") && net.has_management);
    CHECK(net.ip.mode4 == IP_MODE_AUTO && net.ip.mode6 == IP_MODE_OFF);
    CHECK(!net.ip.http_port && !net.ip.syslog[0] && !net.ip.ntp_off && !net.vlan);
    CHECK(read_with("<ip mode='off'/><ipv6 mode='auto'/><http/><syslog server='a'/>"
                    "<ntp mode='off'/>"));
    CHECK(net.ip.http_port == 9100 && net.ip.syslog_port == 514 && net.ip.ntp_off);
}

TEST(refused_by_place_and_reason)
{
    CHECK(refused("", "host.xml:2: <host/management>: neither <ip> nor <ipv6>"));
    CHECK(refused("<ip mode='off'/>", "IPv4 and IPv6 are off"));
    CHECK(refused("<ip/>", "host.xml:3: <host/management/ip>: mode is missing"));
    CHECK(refused("<ip mode='x'/>", "mode=\"x\" cannot be honoured; possible: dhcp|static|off"));
    CHECK(
        refused("<ip mode='dhcp'/>\n<ip mode='dhcp'/>", "host.xml:4: <host/management/ip>: there"));
    CHECK(refused("<ip mode='dhcp' address='192.0.2.1'/>", "belong to mode=\"static\""));
    CHECK(refused("<ip mode='static'/>", "needs an address"));
    CHECK(refused("<ip mode='static' address='192.0.2.1'/>", "prefix=\"\"; a number of bits"));
    CHECK(refused("<ip mode='static' address='192.0.2.1' prefix='31'/>", "from 1 to 30"));
    CHECK(refused("<ip mode='static' address='192.0.2.1' prefix='0'/>", "from 1 to 30"));
    CHECK(refused("<ip mode='static' address='192.0.2.0' prefix='24'/>", "the first or the last"));
    CHECK(refused("<ip mode='static' address='192.0.2.7' prefix='29'/>", "the first or the last"));
    CHECK(refused("<ip mode='static' address='224.0.0.1' prefix='24'/>", "not an IPv4 address"));
    CHECK(refused("<ip mode='static' address='::1' prefix='24'/>", "not an IPv4 address"));
    CHECK(refused("<ip mode='static' address='192.0.2.1' prefix='24' gateway='192.0.3.1'/>",
                  "not in the network"));
    CHECK(refused("<ipv6 mode='static' address='ff02::1'/>", "not an IPv6 address of a host"));
    CHECK(refused("<ipv6 mode='static' address='2001:db8::1' prefix='48'/>", "only 64"));
    CHECK(refused("<dns server='name'/>", "not the address of a host"));
    CHECK(refused("<dns/>", "server=\"\""));
    CHECK(refused("<dns server='1.1.1.1'/><dns server='1.1.1.2'/><dns server='1.1.1.3'/>"
                  "<dns server='1.1.1.4'/>",
                  "at most 3 servers"));
    CHECK(refused("<ntp mode='off' server='a'/>", "asks no server"));
    CHECK(refused("<ntp server='a'/><ntp mode='off'/>", "asks no server"));
    CHECK(refused("<ntp server='a b'/>", "neither a name nor the address"));
    CHECK(refused("<ntp server='300.1.1.1'/>", "neither a name nor the address"));
    CHECK(refused("<syslog/>", "neither a name"));
    CHECK(refused("<http port='0'/>", "possible: 1 to 65535"));
    CHECK(refused("<http port='65536'/>", "possible: 1 to 65535"));
    CHECK(refused("<http/><http/>", "there is one <http>"));
    CHECK(refused("<telnet/>", "<host/management/telnet>: this element is not supported"));
    CHECK(refused("<http tls='yes'/>", "attribute tls is not supported"));
}

TEST(the_element_itself)
{
    CHECK(!read_text("<host>\n<management mac='52:54:00:12:34:56'/></host>"));
    CHECK(strstr(error, "host.xml:2: <host/management>: network is missing"));
    CHECK(!read_text("<host><management network='lan'/></host>"));
    CHECK(strstr(error, "mac is missing"));
    CHECK(!read_text("<host><management network='lan' mac='01:00:00:00:00:01'/></host>"));
    CHECK(strstr(error, "not the address of one station"));
    CHECK(
        !read_text("<host><management network='lan' mac='02:00:00:00:00:01' vlan='4095'/></host>"));
    CHECK(strstr(error, "vlan=\"4095\"; possible: 1 to 4094"));
    CHECK(!read_text("<host>" MANAGEMENT "<ip mode='dhcp'/></management>" MANAGEMENT
                     "</management></host>"));
    CHECK(strstr(error, "there is one <management>"));
    CHECK(!read_text("<host><hostname>a_b</hostname></host>") && strstr(error, "a host's name"));
    CHECK(!read_text("<host x='1'/>") && strstr(error, "attribute x is not supported"));
    CHECK(!read_text("<hosts/>") && strstr(error, "the root element is <hosts>, not <host>"));
    CHECK(!read_text("<host>") && strstr(error, "not well-formed"));
    CHECK(xml_root_is("<!-- --><host/>", 15, "host") && !xml_root_is("<hosts/>", 8, "host"));
}

static bool is_address(const char *text, const char *hex)
{
    struct ip_address a = {0};
    char is[40] = "";
    if (!inet_address(text, &a))
        return !hex;
    for (uint32_t i = 0; i < (a.family == 6 ? 16u : 4u); i++)
        snprintf(is + 2 * i, 3, "%02x", a.address[i]);
    return hex && !strcmp(is, hex);
}

TEST(addresses)
{
    CHECK(is_address("10.0.2.15", "0a00020f") && is_address("255.255.255.255", "ffffffff"));
    CHECK(is_address("::", "00000000000000000000000000000000"));
    CHECK(is_address("::1", "00000000000000000000000000000001"));
    CHECK(is_address("fe80::", "fe800000000000000000000000000000"));
    CHECK(is_address("2001:DB8::a:b", "20010db80000000000000000000a000b"));
    CHECK(is_address("1:2:3:4:5:6:7:8", "00010002000300040005000600070008"));
    CHECK(is_address("1:2:3:4:5:6:7::", "00010002000300040005000600070000"));
    CHECK(is_address("::2:3:4:5:6:7:8", "00000002000300040005000600070008"));
    CHECK(is_address("::ffff:192.0.2.1", "00000000000000000000ffffc0000201"));
    CHECK(is_address("1:2:3:4:5:6:192.0.2.1", "000100020003000400050006c0000201"));
    static const char *const bad[] = {"",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "01.2.3.4",
                                      "1.2.3.4 ",
                                      "1.2.3.",
                                      ":",
                                      ":::",
                                      ":1",
                                      "1:",
                                      "1::2::3",
                                      "12345::",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1:2:3:4:5:6:7:8::",
                                      "::g",
                                      "::1%eth0",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "1.2.3.4::",
                                      "::1.2.3.4:1",
                                      "1:::2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (!is_address(bad[i], NULL))
            printf("  \"%s\" is taken\n", bad[i]);
        CHECK(is_address(bad[i], NULL));
    }
}

TEST(names)
{
    char longest[100];
    memset(longest, 'a', sizeof(longest));
    longest[63] = 0;
    CHECK(inet_is_server("a") && inet_is_server("a-b.example") && inet_is_server("192.0.2.1"));
    CHECK(inet_is_server("2001:db8::1") && inet_is_server("1a") && inet_is_server(longest));
    CHECK(!inet_is_server("") && !inet_is_server("-a") && !inet_is_server("a-") &&
          !inet_is_server("a..b") && !inet_is_server(".a") && !inet_is_server("a.") &&
          !inet_is_server("a-.b") && !inet_is_server("192.0.2") && !inet_is_server("127.0.0.1") &&
          !inet_is_server("::1"));
    longest[63] = 'a';
    longest[64] = 0;
    CHECK(!inet_is_server(longest));
    uint8_t mac[6];
    CHECK(inet_mac("52:54:00:AB:cd:ef", mac) && mac[3] == 0xab);
    CHECK(!inet_mac("52:54:00:ab:cd", mac) && !inet_mac("52:54:00:ab:cd:ef:", mac) &&
          !inet_mac("00:00:00:00:00:00", mac) && !inet_mac("5:54:00:ab:cd:ef", mac) &&
          !inet_mac("", mac));
}

static bool pool_refused(const char *pools, const char *message)
{
    char text[4096];
    snprintf(text, sizeof(text), "<host>\n%s</host>\n", pools);
    if (read_text(text) || !strstr(error, message)) {
        printf("  got \"%s\", expected \"%s\"\n", error, message);
        return false;
    }
    return true;
}

TEST(cpu_pools)
{
    char many[2048] = "";
    CHECK(read_text("<host>\n<cpupool name='real' cpus='2-3'/>\n<cpupool name='b' "
                    "cpus='4,6'/></host>"));
    CHECK(net.cpupools == 2 && !strcmp(net.cpupool[0].name, "real") && net.cpupool[1].line == 3);
    CHECK(net.cpupool[0].cpus.word[0] == 0xc && net.cpupool[1].cpus.word[0] == 0x50);
    CHECK(pool_refused("<cpupool cpus='1'/>", "host.xml:2: <host/cpupool>: name=\"\" is not"));
    CHECK(pool_refused("<cpupool name='a'/>", "cpus=\"\" is not a list of CPUs"));
    CHECK(pool_refused("<cpupool name='a' cpus='1,^1'/>", "cpus=\"1,^1\" is not a list of CPUs"));
    CHECK(pool_refused("<cpupool name='a/b' cpus='1'/>", "name=\"a/b\" is not"));
    for (uint32_t i = 0; i <= HOST_CPUPOOLS; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many),
                 "<cpupool name='p%u' cpus='%u'/>\n", i, i);
    CHECK(pool_refused(many, "host.xml:18: <host/cpupool>: at most 16 CPU pools"));
}
