/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies of what a port sends and gets, for another port. */
#ifndef NET_SWITCH_MIRROR_H
#define NET_SWITCH_MIRROR_H

#include "net/switch/fabric.h"

/* A pcap file's header, little-endian, times in nanoseconds (draft-ietf-opsawg-pcap, "File
 * Header"): whoever reads a capture port puts it before the records that come from there. */
#define PCAP_MAGIC_NS 0xa1b23c4du
#define PCAP_ETHERNET 1u
#define PCAP_RECORD   16u

void mirror_frame(struct fabric *f, const struct port *port, const struct packet *p);

#endif
