/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads <host>. The frame is domain_xml.c's; here is what its elements mean. */
#include "manager/definition/host_xml.h"

#include <stdio.h>
#include <string.h>
#include "manager/definition/domain_value.h"
#include "manager/definition/inet_value.h"

#define VLAN_MAX     4094u
#define SYSLOG_PORT  514u
#define PREFIX4_MAX  30u
#define PREFIX6      64u
#define METRICS_PORT 9100u
#define PORT_MAX     65535u
#define MODES        "dhcp|static|off"
#define MODES6       "auto|static|off"

static bool take_mode(struct xml_reader *r, const char **attrs, const char *values, uint32_t *mode)
{
    const char *value = xml_attr(attrs, "mode");
    if (!xml_attr_in(r, attrs, "mode", values))
        return false;
    if (!value)
        xml_refuse(r, "mode is missing; possible: %s", values);
    else
        *mode = !strcmp(value, "static") ? IP_MODE_STATIC
                : !strcmp(value, "off")  ? IP_MODE_OFF
                                         : IP_MODE_AUTO;
    return value != NULL;
}

/* An address of one host, of the family. */
static bool take_address(struct xml_reader *r, const char **attrs, const char *name,
                         uint32_t family, struct ip_address *out)
{
    struct ip_address address;
    const char *value = xml_attr(attrs, name);
    if (!value)
        return false;
    if (!inet_address(value, &address) || address.family != family || !inet_is_host(&address)) {
        xml_refuse(r, "%s=\"%.64s\" is not an IPv%u address of a host", name, value,
                   (unsigned)family);
        return false;
    }
    *out = address;
    return true;
}

/* Fixed addresses belong to mode='static', and only there. */
static bool check_mode(struct xml_reader *r, const char **attrs, uint32_t mode)
{
    bool any =
        xml_attr(attrs, "address") || xml_attr(attrs, "prefix") || xml_attr(attrs, "gateway");
    if (mode == IP_MODE_STATIC && !xml_attr(attrs, "address"))
        xml_refuse(r, "mode=\"static\" needs an address");
    else if (mode != IP_MODE_STATIC && any)
        xml_refuse(r, "address, prefix and gateway belong to mode=\"static\"");
    return mode == IP_MODE_STATIC && !r->failed;
}

static bool is_edge(const struct ip_address *a, uint32_t prefix)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < 4; i++)
        bits = bits << 8 | a->address[i];
    uint32_t host = bits & (UINT32_MAX >> prefix);
    return !host || host == UINT32_MAX >> prefix;
}

static void on_ip(struct xml_reader *r, const char **attrs)
{
    struct ip_config *ip = &r->host->ip;
    uint64_t prefix;
    const char *text = xml_attr(attrs, "prefix");
    if (r->host->ip4++)
        xml_refuse(r, "there is one <ip>");
    if (!take_mode(r, attrs, MODES, &ip->mode4) || !check_mode(r, attrs, ip->mode4) ||
        !take_address(r, attrs, "address", 4, &ip->address4))
        return;
    if (!text || !value_u64(text, PREFIX4_MAX, &prefix) || !prefix) {
        xml_refuse(r, "prefix=\"%.32s\"; a number of bits from 1 to %u is needed", text ? text : "",
                   PREFIX4_MAX);
        return;
    }
    ip->address4.prefix = (uint8_t)prefix;
    if (is_edge(&ip->address4, ip->address4.prefix)) {
        xml_refuse(r, "address=\"%.64s\" is the first or the last of its network",
                   xml_attr(attrs, "address"));
        return;
    }
    if (take_address(r, attrs, "gateway", 4, &ip->gateway4) &&
        !inet_same_net(&ip->address4, &ip->gateway4, ip->address4.prefix))
        xml_refuse(r, "gateway=\"%.64s\" is not in the network of the address",
                   xml_attr(attrs, "gateway"));
}

static void on_ipv6(struct xml_reader *r, const char **attrs)
{
    struct ip_config *ip = &r->host->ip;
    uint64_t prefix = PREFIX6;
    const char *text = xml_attr(attrs, "prefix");
    if (r->host->ip6++)
        xml_refuse(r, "there is one <ipv6>");
    if (!take_mode(r, attrs, MODES6, &ip->mode6) || !check_mode(r, attrs, ip->mode6) ||
        !take_address(r, attrs, "address", 6, &ip->address6))
        return;
    if (text && (!value_u64(text, PREFIX6, &prefix) || prefix != PREFIX6)) {
        xml_refuse(r, "prefix=\"%.32s\"; only %u can be honoured", text, PREFIX6);
        return;
    }
    ip->address6.prefix = PREFIX6;
    take_address(r, attrs, "gateway", 6, &ip->gateway6);
}

static void on_management(struct xml_reader *r, const char **attrs)
{
    struct host_net *host = r->host;
    const char *network = xml_attr(attrs, "network"), *mac = xml_attr(attrs, "mac");
    const char *vlan = xml_attr(attrs, "vlan");
    uint64_t tag = 0;
    if (host->has_management)
        xml_refuse(r, "there is one <management>");
    host->has_management = true;
    host->line = r->line;
    if (!network || !network[0] || strlen(network) >= sizeof(host->network))
        xml_refuse(r, "network is missing: the name of a <network> of this set");
    else if (!mac)
        xml_refuse(r, "mac is missing: hosts with the same image must not share an address");
    else if (!inet_mac(mac, host->ip.mac))
        xml_refuse(r, "mac=\"%.32s\" is not the address of one station", mac);
    else if (vlan && (!value_u64(vlan, VLAN_MAX, &tag) || !tag))
        xml_refuse(r, "vlan=\"%.32s\"; possible: 1 to %u", vlan, VLAN_MAX);
    if (r->failed)
        return;
    snprintf(host->network, sizeof(host->network), "%s", network);
    host->vlan = (uint32_t)tag;
}

static void on_dns(struct xml_reader *r, const char **attrs)
{
    struct host_net *host = r->host;
    struct ip_address address;
    const char *server = xml_attr(attrs, "server");
    if (host->dns == IP_DNS_SERVERS)
        xml_refuse(r, "at most %u servers", IP_DNS_SERVERS);
    else if (!server || !inet_address(server, &address) || !inet_is_host(&address))
        xml_refuse(r, "server=\"%.64s\" is not the address of a host", server ? server : "");
    else
        host->ip.dns[host->dns++] = address;
}

static bool take_server(struct xml_reader *r, const char **attrs, char out[IP_NAME])
{
    const char *server = xml_attr(attrs, "server");
    if (!server || !inet_is_server(server)) {
        xml_refuse(r, "server=\"%.64s\" is neither a name nor the address of a host",
                   server ? server : "");
        return false;
    }
    snprintf(out, IP_NAME, "%s", server);
    return true;
}

static void on_ntp(struct xml_reader *r, const char **attrs)
{
    struct host_net *host = r->host;
    if (!xml_attr_in(r, attrs, "mode", "off"))
        return;
    if (xml_attr(attrs, "mode")) {
        host->ip.ntp_off = 1;
        if (xml_attr(attrs, "server"))
            xml_refuse(r, "mode=\"off\" asks no server");
    } else if (host->ntp == IP_NTP_SERVERS) {
        xml_refuse(r, "at most %u servers", IP_NTP_SERVERS);
    } else if (take_server(r, attrs, host->ip.ntp[host->ntp])) {
        host->ntp++;
    }
    if (host->ip.ntp_off && host->ntp)
        xml_refuse(r, "mode=\"off\" asks no server");
}

static bool take_port(struct xml_reader *r, const char **attrs, uint32_t otherwise, uint16_t *out)
{
    const char *text = xml_attr(attrs, "port");
    uint64_t port = otherwise;
    if (text && (!value_u64(text, PORT_MAX, &port) || !port)) {
        xml_refuse(r, "port=\"%.32s\"; possible: 1 to %u", text, PORT_MAX);
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

static void on_syslog(struct xml_reader *r, const char **attrs)
{
    struct ip_config *ip = &r->host->ip;
    if (r->host->syslog++)
        xml_refuse(r, "there is one <syslog>");
    else if (take_server(r, attrs, ip->syslog))
        take_port(r, attrs, SYSLOG_PORT, &ip->syslog_port);
}

static void on_http(struct xml_reader *r, const char **attrs)
{
    if (r->host->http++)
        xml_refuse(r, "there is one <http>");
    else
        take_port(r, attrs, METRICS_PORT, &r->host->ip.http_port);
}

static void on_hostname(struct xml_reader *r)
{
    if (!inet_is_name(r->text))
        xml_refuse(r, "\"%.64s\" is not a host's name", r->text);
    else
        snprintf(r->host->ip.hostname, IP_NAME, "%s", r->text);
}

static void on_cpupool(struct xml_reader *r, const char **attrs)
{
    struct host_net *host = r->host;
    struct host_cpupool pool = {.line = r->line};
    const char *name = xml_attr(attrs, "name"), *cpus = xml_attr(attrs, "cpus");
    if (!name || !value_word(name, sizeof(pool.name)))
        xml_refuse(r, "name=\"%.64s\" is not 1 to %u letters, digits or _-.+", name ? name : "",
                   TUNE_POOL - 1);
    else if (!cpus || !value_cpuset(cpus, pool.cpus.word, TUNE_WORDS) ||
             !tune_set_count(&pool.cpus))
        xml_refuse(r, "cpus=\"%.64s\" is not a list of CPUs like \"0-3,^2\"", cpus ? cpus : "");
    else if (host->cpupools == HOST_CPUPOOLS)
        xml_refuse(r, "at most %u CPU pools", HOST_CPUPOOLS);
    if (r->failed)
        return;
    snprintf(pool.name, sizeof(pool.name), "%s", name);
    host->cpupool[host->cpupools++] = pool;
}

static const struct element_rule host_rules[] = {
    {"hostname", NULL, NULL, on_hostname, NULL},
    {"cpupool", "name|cpus", on_cpupool, NULL, NULL},
    {"management", "network|mac|vlan", on_management, NULL, NULL},
    {"management/ip", "mode|address|prefix|gateway", on_ip, NULL, NULL},
    {"management/ipv6", "mode|address|prefix|gateway", on_ipv6, NULL, NULL},
    {"management/dns", "server", on_dns, NULL, NULL},
    {"management/ntp", "server|mode", on_ntp, NULL, NULL},
    {"management/syslog", "server|port", on_syslog, NULL, NULL},
    {"management/http", "port", on_http, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const char *host_refusal(const char *path)
{
    (void)path;
    return NULL;
}

static void begin_host(struct xml_reader *r, const char **attrs)
{
    if (attrs[0])
        xml_refuse(r, "attribute %.64s is not supported", attrs[0]);
}

static void check_management(struct xml_reader *r)
{
    struct host_net *host = r->host;
    if (host->has_management && !host->ip4 && !host->ip6)
        xml_refuse_at(r, "management", host->line, "neither <ip> nor <ipv6>: it has no address");
    else if (host->has_management && host->ip.mode4 == IP_MODE_OFF && host->ip.mode6 == IP_MODE_OFF)
        xml_refuse_at(r, "management", host->line, "IPv4 and IPv6 are off: it has no address");
}

bool host_xml_read(const char *file, const char *text, size_t size, struct host_net *host,
                   char error[DOMAIN_XML_ERROR])
{
    static const struct element_rule *const tables[] = {host_rules, NULL};
    static const struct xml_dialect dialect = {"host",       HOST_NAME_URI, tables,
                                               host_refusal, begin_host,    check_management};
    struct xml_reader reader = {.host = host};
    *host = (struct host_net){0};
    snprintf(host->file, sizeof(host->file), "%s", file);
    return xml_read(&dialect, &reader, file, text, size, error);
}
