/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells the manager, by a call on SLOT_PARENT, what happened to the guest. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/object.h"
#include "abi/status.h"
#include "user/syscall_stubs.h"
#include "vmm/vmm.h"

#define TEXT_WORD 8u
#define TEXT_MAX  1024u

int64_t report(uint32_t event, const char *text)
{
    struct utcb *utcb = utcb_self();
    uint32_t words = TEXT_WORD + 1;
    uint64_t answer, badge;
    memset(utcb->mr, 0, (TEXT_WORD + 1) * sizeof(utcb->mr[0]));
    utcb->mr[0] = event;
    if (text) {
        size_t length = strnlen(text, TEXT_MAX - 1);
        uint64_t *last = &utcb->mr[TEXT_WORD + length / 8];
        *last = 0; /* pads, and ends the text */
        memcpy(&utcb->mr[TEXT_WORD], text, length);
        words = TEXT_WORD + (uint32_t)(length / 8) + 1;
    }
    int64_t status = sys_portal_call(SLOT_PARENT, words, 0, &answer, &badge);
    return status == OK ? (int64_t)utcb->mr[0] : status;
}

void refuse(const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_line("refused: %s", text);
    report(VMM_EVENT_REFUSED, text);
    exit(1);
}
