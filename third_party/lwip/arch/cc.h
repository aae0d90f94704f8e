/* SPDX-License-Identifier: BSD-2-Clause */
/* lwIP's compiler header, for ring 3 and for the host tests. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <stdint.h>

#define LWIP_NO_LIMITS_H 1
#define LWIP_NO_UNISTD_H 1
typedef int64_t ssize_t;
#define SSIZE_MAX INT64_MAX

#undef BYTE_ORDER
#define BYTE_ORDER LITTLE_ENDIAN

/* net/ip/port.c. An assertion of lwIP ends the process: it is started again. */
uint32_t port_random(void);
_Noreturn void port_assert(const char *message, const char *file, int line);

#define LWIP_RAND()             port_random()
#define LWIP_PLATFORM_ASSERT(m) port_assert(m, __FILE__, __LINE__)
#define LWIP_PLATFORM_DIAG(x)   ((void)0)

#endif
