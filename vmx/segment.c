/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/segment.h"

#define TSS_BUSY_16     3u
#define TSS_BUSY_32     11u
#define TSS_AVAILABLE16 1u

uint32_t segment_access(enum vcpu_seg which, uint16_t attr, uint32_t *limit)
{
    uint32_t access = (attr & 0xffu) | (uint32_t)(attr & 0xf00u) << 4;
    bool unusable = (attr & SEG_ATTR_UNUSABLE) != 0 || !(attr & SEG_ATTR_P);
    if (which == SEG_TR) {
        bool is16 =
            (access & ACCESS_TYPE) == TSS_AVAILABLE16 || (access & ACCESS_TYPE) == TSS_BUSY_16;
        access = (access & ~(ACCESS_TYPE | ACCESS_S)) | ACCESS_P;
        access |= is16 ? TSS_BUSY_16 : TSS_BUSY_32;
        unusable = false;
    } else if (access & ACCESS_S) {
        access |= 1; /* accessed */
    }
    /* Which G fits is given by the limit. */
    access &= ~ACCESS_G;
    if (*limit > 0xfffff || ((attr & SEG_ATTR_G) && (*limit & 0xfff) == 0xfff)) {
        *limit |= 0xfff;
        access |= ACCESS_G;
    }
    return unusable ? access | ACCESS_UNUSABLE : access;
}

uint16_t segment_attr(uint32_t access)
{
    uint32_t attr = (access & 0xffu) | (access >> 4 & 0xf00u);
    if ((access & ACCESS_UNUSABLE) || !(access & ACCESS_P))
        attr = (attr & ~SEG_ATTR_P) | SEG_ATTR_UNUSABLE;
    return (uint16_t)attr;
}
