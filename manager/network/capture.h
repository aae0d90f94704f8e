/* SPDX-License-Identifier: BSD-2-Clause */
/* A port of the switch that gets a copy of all that another one sends and is sent, as the records
 * of a pcap file. One at a time, for the console, which asks for what has come. */
#ifndef MANAGER_NETWORK_CAPTURE_H
#define MANAGER_NETWORK_CAPTURE_H

#include <stdint.h>

/* NULL, or why not (static text until the next call). An earlier capture ends. */
const char *capture_begin(const char *network, const char *port);
/* Whole records, at most size bytes; of each frame the first MGR_CAPTURE_SNAP bytes at most. */
uint32_t capture_read(uint8_t *to, uint32_t size);
/* Frames for which there was no room, since it began. */
uint64_t capture_lost(void);
void capture_end(void);

#endif
