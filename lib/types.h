/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of different worlds are different types, so that mixing them does not compile. */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12u
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (PAGE_SIZE - 1)
#define MIB        (1024ull * 1024)
#define GIB        (1024ull * MIB)

typedef struct {
    uint64_t v;
} hpa_t; /* host-physical address */
typedef struct {
    uint64_t v;
} gpa_t; /* guest-physical address */

static inline hpa_t hpa(uint64_t v)
{
    return (hpa_t){v};
}
static inline gpa_t gpa(uint64_t v)
{
    return (gpa_t){v};
}

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
#define NOINLINE                        __attribute__((noinline))
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))

static inline bool aligned(uint64_t v, uint64_t alignment)
{
    return (v & (alignment - 1)) == 0;
}
static inline uint64_t align_up(uint64_t v, uint64_t alignment)
{
    return (v + alignment - 1) & ~(alignment - 1);
}
static inline uint64_t align_down(uint64_t v, uint64_t alignment)
{
    return v & ~(alignment - 1);
}

#endif
