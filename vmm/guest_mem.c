/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/guest_mem.h"

#include <string.h>

bool guest_mem_add(struct guest_mem *mem, uint64_t gpa, uint64_t size, void *host, bool writable)
{
    if (mem->count == GUEST_MEM_REGIONS || size == 0 || gpa + size < gpa)
        return false;
    mem->region[mem->count++] =
        (struct guest_region){.gpa = gpa, .size = size, .host = host, .writable = writable};
    return true;
}

bool guest_mem_write(const struct guest_mem *mem, uint64_t gpa, const void *data, uint64_t len)
{
    if (len == 0)
        return true;
    void *to = guest_mem_writable(mem, gpa, len);
    if (!to)
        return false;
    memcpy(to, data, len);
    return true;
}

bool guest_mem_read(const struct guest_mem *mem, uint64_t gpa, void *data, uint64_t len)
{
    if (len == 0)
        return true;
    const void *from = guest_mem_ptr(mem, gpa, len);
    if (!from)
        return false;
    memcpy(data, from, len);
    return true;
}

bool guest_mem_zero(const struct guest_mem *mem, uint64_t gpa, uint64_t len)
{
    if (len == 0)
        return true;
    void *to = guest_mem_writable(mem, gpa, len);
    if (!to)
        return false;
    memset(to, 0, len);
    return true;
}
