/* SPDX-License-Identifier: BSD-2-Clause */
/* <network> from whatever bytes: refused with a place, or read within its bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/cpulist.c"
#include "manager/definition/domain_cputune.c"
#include "manager/definition/domain_devices.c"
#include "manager/definition/domain_disk.c"
#include "manager/definition/domain_elements.c"
#include "manager/definition/domain_interface.c"
#include "manager/definition/domain_value.c"
#include "manager/definition/domain_xml.c"
#include "manager/definition/ip_text.c"
#include "manager/network/network.c"
#include "manager/definition/network_value.c"
#include "manager/definition/network_xml.c"
#include "manager/definition/tune.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct network net;
    static char error[DOMAIN_XML_ERROR];
    network_xml_is((const char *)data, size);
    if (!network_xml_read("f.xml", (const char *)data, size, &net, error)) {
        if (strncmp(error, "f.xml:", 6) != 0 || strlen(error) >= sizeof(error))
            abort();
        return 0;
    }
    if (error[0] || !net.name[0] || net.mtu < FRAME_MTU_MIN || net.mtu > FRAME_MTU_MAX ||
        net.uplinks > NETWORK_UPLINKS || net.portgroups > NETWORK_PORTGROUPS || !net.ageing_s)
        abort();
    return 0;
}
