/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration of expat: namespaces on, DTDs on because in this version the limit on entity
 * expansion ("billion laughs") exists only with them. Hash salt from arc4random_buf (user/random.c
 * in ring 3, the host's C library in tests). */
#ifndef MULLION_EXPAT_CONFIG_H
#define MULLION_EXPAT_CONFIG_H

#define BYTEORDER           1234
#define HAVE_ARC4RANDOM_BUF 1
#define STDC_HEADERS        1
#define XML_CONTEXT_BYTES   1024
#define XML_DTD             1
#define XML_NS              1

#endif
