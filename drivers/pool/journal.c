/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/pool/engine.h"

bool journal_has_room(const struct pool *pool, uint32_t records)
{
    const struct pool_journal *journal = pool->env.journal;
    return !journal || journal->head - journal->tail + records <= POOL_JOURNAL_RECORDS;
}

void journal_add(struct pool *pool, const struct pool_volume *volume, uint32_t kind, uint64_t block,
                 uint64_t value)
{
    struct pool_journal *journal = pool->env.journal;
    if (!journal)
        return;
    struct pool_journal_record *record = &journal->record[journal->head % POOL_JOURNAL_RECORDS];
    *record = (struct pool_journal_record){.generation = pool->open_generation,
                                           .volume = volume->record.id,
                                           .kind = kind,
                                           .block = block,
                                           .value = value};
    /* Release: the process may end here, and who comes next sees whole records. */
    __atomic_store_n(&journal->head, journal->head + 1, __ATOMIC_RELEASE);
}

static bool replay(struct pool *pool, const struct pool_journal_record *record)
{
    struct pool_volume *volume = volume_by_id(pool, record->volume);
    uint64_t block = POOL_ENTRY_BLOCK(record->value);
    bool exclusive;
    if (!volume || volume->record.flags & POOL_RECORD_SNAPSHOT ||
        record->block >= POOL_VOLUME_BLOCKS)
        return false;
    if (record->kind == POOL_JOURNAL_UNMAP) {
        if (!record->value || record->value > POOL_LEAF_BLOCKS ||
            record->block % POOL_LEAF_BLOCKS + record->value > POOL_LEAF_BLOCKS)
            return false;
        tree_unmap(volume, record->block, record->value);
        return true;
    }
    if (record->kind != POOL_JOURNAL_SET)
        return false;
    if (record->value && (block >= pool->blocks || record->value & POOL_ENTRY_RESERVED ||
                          !POOL_ENTRY_PARTS(record->value)))
        return false;
    uint64_t old = tree_get(volume, record->block, &exclusive);
    bool same = old && record->value && POOL_ENTRY_BLOCK(old) == block;
    if (record->value && !same && block_take(pool, block) != block)
        return false;
    tree_set(volume, record->block, record->value);
    return true;
}

bool journal_replay(struct pool *pool)
{
    struct pool_journal *journal = pool->env.journal;
    if (!journal)
        return true;
    if (journal->magic != POOL_JOURNAL_MAGIC || journal->head < journal->tail ||
        journal->head - journal->tail > POOL_JOURNAL_RECORDS) {
        journal->magic = POOL_JOURNAL_MAGIC;
        journal->head = journal->tail = 0;
        return true;
    }
    for (uint64_t at = journal->tail; at != journal->head; at++) {
        struct pool_journal_record *record = &journal->record[at % POOL_JOURNAL_RECORDS];
        if (record->generation <= pool->super.generation)
            continue;
        if (!replay(pool, record))
            return false;
        /* The commit that will take it in is the next. */
        record->generation = pool->open_generation;
        if (pool->later.count + POOL_FANOUT * 2 > DROPS_MAX)
            return false;
    }
    return true;
}
