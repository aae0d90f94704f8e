/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory functions without vector registers: words by REP, the rest by byte. REP with words beats
 * REP with bytes wherever an iteration is what costs, as in emulators that count instructions. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *start = to;
    size_t words = size / 8;
    size_t tail = size % 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(tail) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    /* Overlap with the target above the source: from the end, bytes first. */
    unsigned char *high_to = (unsigned char *)to + size;
    const unsigned char *high_from = (const unsigned char *)from + size;
    while (size % 8) {
        *--high_to = *--high_from;
        size--;
    }
    for (size_t words = size / 8; words; words--) {
        uint64_t word;
        high_to -= 8;
        high_from -= 8;
        __builtin_memcpy(&word, high_from, sizeof(word));
        __builtin_memcpy(high_to, &word, sizeof(word));
    }
    return to;
}

void *memset(void *to, int value, size_t size)
{
    void *start = to;
    uint64_t word = (unsigned char)value * 0x0101010101010101ull;
    size_t words = size / 8;
    size_t tail = size % 8;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(tail) : "a"(word) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    for (; size >= 8; size -= 8, left += 8, right += 8) {
        uint64_t x, y;
        __builtin_memcpy(&x, left, sizeof(x));
        __builtin_memcpy(&y, right, sizeof(y));
        if (x != y)
            break;
    }
    for (; size; size--, left++, right++) {
        if (*left != *right)
            return *left - *right;
    }
    return 0;
}
