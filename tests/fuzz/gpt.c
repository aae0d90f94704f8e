/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk that anyone may have written: whatever stands there, what is found lies on it. Checksums
 * are made right, so that the fuzzer gets behind them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/gpt/gpt.c"

#define BLOCKS 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gpt gpt;
    static uint8_t disk[BLOCKS * 512u];
    memset(disk, 0, sizeof(disk));
    memcpy(disk, data, size < sizeof(disk) ? size : sizeof(disk));
    gpt_begin(&gpt, 512, BLOCKS);
    for (int reads = 0; gpt.step != GPT_DONE; reads++) {
        if (reads > 6 || gpt.want_block >= BLOCKS || gpt.want_blocks > BLOCKS - gpt.want_block)
            abort();
        size_t bytes = (size_t)gpt.want_blocks * 512;
        uint8_t *copy = malloc(bytes);
        memcpy(copy, disk + gpt.want_block * 512, bytes);
        uint32_t length = read32(copy + 12);
        if (gpt.step == GPT_READ_HEADER && length >= HEADER_MIN && length <= 512) {
            uint64_t table = read64(copy + 72);
            uint64_t table_bytes = (uint64_t)read32(copy + 80) * read32(copy + 84);
            if (table < BLOCKS && table_bytes <= (BLOCKS - table) * 512) {
                uint32_t crc = gpt_crc32(0, disk + table * 512, table_bytes);
                memcpy(copy + 88, &crc, 4);
            }
            memset(copy + 16, 0, 4);
            uint32_t crc = gpt_crc32(0, copy, length);
            memcpy(copy + 16, &crc, 4);
        }
        gpt_feed(&gpt, copy);
        free(copy);
    }
    if (gpt.count > GPT_PARTITIONS || strnlen(gpt.reason, GPT_REASON) == GPT_REASON)
        abort();
    for (uint32_t i = 0; i < gpt.count; i++) {
        const struct gpt_partition *p = &gpt.partition[i];
        if (!p->blocks || p->first + p->blocks > BLOCKS || p->first + p->blocks < p->first ||
            strnlen(p->name, GPT_NAME) == GPT_NAME)
            abort();
        for (uint32_t j = 0; j < i; j++) {
            if (overlaps(p, &gpt.partition[j]))
                abort();
        }
    }
    return 0;
}
