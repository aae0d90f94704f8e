/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages go to the kernel log, one system call a line. */
#include "user/program.h"
#include "user/runtime.h"
#include "user/syscall_stubs.h"
#include "abi/object.h"
#include "abi/status.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_MAX 512u /* what klog_write takes at once */

/* "NAME: ", what every line begins with. */
static char log_lead[72] = "program: ";
static size_t log_lead_length = 9;

void log_init(const char *name)
{
    size_t length = strnlen(name, sizeof(log_lead) - 2);
    memcpy(log_lead, name, length);
    log_lead[length++] = ':';
    log_lead[length++] = ' ';
    log_lead_length = length;
}

/* The UTCB may hold a message in the making: it is put back afterwards. */
static void log_send(char *line, size_t length)
{
    uint64_t saved[LOG_MAX / 8];
    struct utcb *utcb = utcb_self();
    for (size_t i = 0; i < length; i++) {
        if ((line[i] < ' ' && line[i] != '\t') || line[i] > '~')
            line[i] = '?';
    }
    line[length++] = '\n';
    size_t bytes = (length + 7) & ~(size_t)7;
    memcpy(saved, utcb->mr, bytes);
    memcpy(utcb->mr, line, length);
    sys_klog_write((uint32_t)length);
    memcpy(utcb->mr, saved, bytes);
}

void log_text(const char *text, size_t length)
{
    char line[LOG_MAX];
    size_t used = log_lead_length;
    memcpy(line, log_lead, used);
    if (length > sizeof(line) - 1 - used)
        length = sizeof(line) - 1 - used;
    memcpy(line + used, text, length);
    log_send(line, used + length);
}

static void log_format(const char *format, va_list args)
{
    char line[LOG_MAX];
    size_t used = log_lead_length;
    memcpy(line, log_lead, used);
    size_t room = sizeof(line) - used;
    int length = vsnprintf(line + used, room, format, args);
    if (length < 0)
        length = 0;
    used += (size_t)length < room ? (size_t)length : room - 1;
    log_send(line, used);
}

void log_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_format(format, args);
    va_end(args);
}

/* The manager watches the first thread for a fault. When another thread gives up, the first must
 * not go on alone: without its stack it faults at once, and a suspend ends what it waits for. */
static void fell_first_thread(void)
{
    sys_mem_unmap(SLOT_SELF_PD, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE, PROGRAM_STACK_SIZE);
    sys_thread_suspend(SLOT_SELF_THREAD);
    sys_thread_resume(SLOT_SELF_THREAD);
    for (;;)
        sys_thread_exit();
}

void fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_format(format, args);
    va_end(args);
    if ((uintptr_t)utcb_self() != PROGRAM_UTCB_VA)
        fell_first_thread();
    __builtin_trap();
}
