/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes are either a definition within its limits or refused with a printable message. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct domain domain;
    char error[DOMAIN_XML_ERROR];
    bool good = domain_xml_read("fuzz.xml", (const char *)data, size, &domain, error);
    if (good != !error[0])
        abort();
    if (!good)
        return 0;
    if (!domain.name[0] || !domain.memory || domain.memory % 4096 || !domain.vcpus ||
        domain.vcpus > VMM_MAX_VCPUS || domain.feature_count > VMM_MAX_FEATURES)
        abort();
    return 0;
}
