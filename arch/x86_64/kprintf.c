/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/klog.h"
#include "lib/format.h"

#define LINE_MAX 512u

void kprintf(const char *format, ...)
{
    char line[LINE_MAX];
    va_list args;

    va_start(args, format);
    size_t n = format_args(line, sizeof(line), format, args);
    va_end(args);
    klog_write(line, n);
}
