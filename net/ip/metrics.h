/* SPDX-License-Identifier: BSD-2-Clause */
/* Figures as text in Prometheus' exposition format 0.0.4, line by line. */
#ifndef NET_IP_METRICS_H
#define NET_IP_METRICS_H

#include <stddef.h>
#include "net/ip/figures.h"

#define METRICS_LINE 640u /* bytes of the longest line, and more */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Where a text stands; all zero: at its begin. */
struct metrics_at {
    uint32_t family, part, row;
};

/* The next line, with its newline; 0: that was all. */
size_t metrics_line(const struct figures *figures, struct metrics_at *at, char line[METRICS_LINE]);
/* Bytes of the whole text. */
uint64_t metrics_size(const struct figures *figures);

#endif
