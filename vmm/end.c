/* SPDX-License-Identifier: BSD-2-Clause */
/* How a run ends: the first reason is kept, everybody stops. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "abi/object.h"
#include "user/syscall_stubs.h"
#include "vmm/crash.h"
#include "vmm/vmm.h"

static bool claim(struct vmm *vmm)
{
    uint32_t none = 0;
    return __atomic_compare_exchange_n(&vmm->ending, &none, 1, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void publish(struct vmm *vmm, uint32_t event)
{
    vmm->end_event = event;
    __atomic_store_n(&vmm->ending, 2, __ATOMIC_RELEASE); /* pairs with events.c */
    __atomic_store_n(&vmm->wish, VMM_STOP, __ATOMIC_RELEASE);
    sys_notif_signal(SLOT_NOTIF, VMM_BIT_STANDS);
    vcpu_wake_all(vmm);
}

void vmm_end(struct vmm *vmm, uint32_t event, const char *format, ...)
{
    va_list args;
    if (!claim(vmm))
        return;
    va_start(args, format);
    vsnprintf(vmm->end_text, sizeof(vmm->end_text), format, args);
    va_end(args);
    publish(vmm, event);
}

void vmm_crash(struct vmm_vcpu *vcpu, const char *format, ...)
{
    struct vmm *vmm = vcpu->vmm;
    char reason[192];
    va_list args;
    if (!claim(vmm))
        return;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    vcpu_need(vcpu, VCPU_GROUP_CORE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL);
    crash_text(vmm->end_text, sizeof(vmm->end_text), reason, vcpu->index, &vcpu->emul);
    publish(vmm, VMM_EVENT_CRASH);
}
