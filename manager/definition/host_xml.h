/* SPDX-License-Identifier: BSD-2-Clause */
/* The definition of the host itself: root element <host>, one file in the VM set.
 * docs/management.md lists every element. */
#ifndef MANAGER_DEFINITION_HOST_XML_H
#define MANAGER_DEFINITION_HOST_XML_H

#include <stdbool.h>
#include <stddef.h>
#include "manager/definition/domain_xml.h"
#include "net/ip/config.h"
#include "net/switch/protocol.h"

#define HOST_FILE     128u
#define HOST_NAME_URI "urn:mullion:host:1"

/* Named CPUs that guests are assigned to. */
#define HOST_CPUPOOLS 16u
struct host_cpupool {
    char name[TUNE_POOL];
    struct tune_set cpus;
    uint32_t line;
};

struct host_net {
    bool has_management;
    char file[HOST_FILE];
    uint32_t line; /* of <management> */
    char network[SWITCH_NAME];
    uint32_t vlan;       /* 0: none */
    struct ip_config ip; /* what does not come from the definition is 0 */
    struct host_cpupool cpupool[HOST_CPUPOOLS];
    /* How many of each were read. */
    uint32_t cpupools;
    uint32_t dns, ntp, syslog, http, ip4, ip6;
};

bool host_xml_read(const char *file, const char *text, size_t size, struct host_net *host,
                   char error[DOMAIN_XML_ERROR]);

#endif
