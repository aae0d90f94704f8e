/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a kernel image; the first byte chooses memory size and initrd. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "vmm/boot_state.c"
#include "vmm/e820.c"
#include "vmm/guest_mem.c"
#include "vmm/loader.c"
#include "vmm/loader_elf.c"
#include "vmm/loader_linux.c"
#include "vmm/loader_multiboot.c"
#include "vmm/loader_pvh.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *ram;
    static struct vcpu_page page;
    static const uint8_t initrd[4096];
    const uint64_t bytes = 0x800000;
    if (size == 0)
        return 0;
    if (!ram)
        ram = malloc(bytes);
    struct guest_mem mem = {.low_size = bytes >> (data[0] & 3)};
    guest_mem_add(&mem, 0, mem.low_size, ram, true);
    struct loader loader = {.mem = &mem,
                            .kernel = {data + 1, size - 1, "kernel"},
                            .initrd = {initrd, data[0] & 4 ? sizeof(initrd) : 0, "initrd"},
                            .cmdline = "quiet",
                            .page = &page};
    memset(&page, 0, sizeof(page));
    if (!loader_auto(&loader) && loader.error[0] == 0)
        abort();
    loader.error[0] = 0;
    if (!loader_pvh(&loader) && loader.error[0] == 0)
        abort();
    return 0;
}
