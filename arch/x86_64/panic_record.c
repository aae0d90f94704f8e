/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/panic_record.h"

/* FNV-1a: enough to tell a record from what a cold start leaves. */
static uint32_t checksum(const char *text, uint32_t length)
{
    uint32_t h = 0x811c9dc5u;
    for (uint32_t i = 0; i < length; i++)
        h = (h ^ (uint8_t)text[i]) * 0x01000193u;
    return h;
}

void panic_record_seal(struct panic_record *record, uint64_t size, uint32_t length)
{
    record->length = (uint32_t)MIN(length, size - sizeof(*record));
    record->checksum = checksum(record->text, record->length);
    record->magic = PANIC_RECORD_MAGIC;
}

bool panic_record_valid(const struct panic_record *record, uint64_t size)
{
    if (size < sizeof(*record) || record->magic != PANIC_RECORD_MAGIC)
        return false;
    return record->length <= size - sizeof(*record) &&
           record->checksum == checksum(record->text, record->length);
}
