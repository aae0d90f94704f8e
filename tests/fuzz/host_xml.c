/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes are either a definition of the host within its limits or refused with a message. */
#include <stdlib.h>
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host_net net;
    char error[DOMAIN_XML_ERROR];
    bool good = host_xml_read("fuzz.xml", (const char *)data, size, &net, error);
    if (good != !error[0])
        abort();
    for (const char *p = error; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            abort();
    }
    if (!good || !net.has_management)
        return 0;
    const struct ip_config *ip = &net.ip;
    if (!net.network[0] || net.vlan > 4094 || (ip->mac[0] & 1) ||
        (ip->mode4 == IP_MODE_STATIC && (!ip->address4.prefix || ip->address4.prefix > 30)) ||
        (ip->mode4 == IP_MODE_OFF && ip->mode6 == IP_MODE_OFF))
        abort();
    return 0;
}
