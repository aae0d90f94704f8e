/* SPDX-License-Identifier: BSD-2-Clause */
/* Trees of nodes in memory. A snapshot shares the root of its volume; a shared node is copied when
 * something below it changes, and then what is below has one parent more. */
#include <stdlib.h>
#include <string.h>
#include "drivers/pool/engine.h"

#define CHUNK 16u /* nodes that are asked of malloc() at a time */

struct node_chunk {
    struct node_chunk *next;
    struct node node[CHUNK];
};

static bool more_nodes(struct pool *pool)
{
    struct node_chunk *chunk = malloc(sizeof(*chunk));
    if (!chunk)
        return false;
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    for (uint32_t i = 0; i < CHUNK; i++) {
        chunk->node[i].next = pool->free_node;
        pool->free_node = &chunk->node[i];
    }
    return true;
}

void nodes_free(struct pool *pool)
{
    while (pool->chunks) {
        struct node_chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        free(chunk);
    }
}

struct node *node_new(struct pool *pool, uint32_t level)
{
    if (!pool->free_node && !more_nodes(pool))
        return NULL;
    struct node *node = pool->free_node;
    pool->free_node = node->next;
    memset(node, 0, sizeof(*node));
    node->level = (uint8_t)level;
    node->refs = 1;
    pool->nodes++;
    return node;
}

static void make_dirty(struct pool *pool, struct node *node)
{
    node->dirty = true;
    node->next = pool->dirty[node->level];
    pool->dirty[node->level] = node;
    pool->dirty_count++;
}

static struct node *copy(struct pool *pool, struct node *from)
{
    struct node *node = node_new(pool, from->level);
    if (!node)
        return NULL;
    memcpy(node->entry, from->entry, sizeof(node->entry));
    for (uint32_t i = 0; i < POOL_FANOUT; i++) {
        if (!node->entry[i])
            continue;
        if (node->level)
            node->child[i]->refs++;
        else
            block_share(pool, POOL_ENTRY_BLOCK(node->entry[i]));
    }
    from->refs--;
    make_dirty(pool, node);
    return node;
}

/* The node behind a pointer, to be changed: there, its own, dirty. */
static struct node *touch(struct pool *pool, struct node **link, uint32_t level)
{
    struct node *node = *link;
    if (!node) {
        node = node_new(pool, level);
        if (node)
            make_dirty(pool, node);
    } else if (node->refs > 1) {
        node = copy(pool, node);
    } else if (!node->dirty) {
        make_dirty(pool, node);
    }
    if (node)
        *link = node;
    return node;
}

static uint32_t index_at(uint64_t block, uint32_t level)
{
    return (uint32_t)(block >> (9 * level)) & (POOL_FANOUT - 1);
}

uint64_t tree_get(const struct pool_volume *volume, uint64_t block, bool *exclusive)
{
    const struct node *node = volume->root;
    bool own = true;
    for (uint32_t level = POOL_LEVELS - 1; node && level; level--) {
        own &= node->refs == 1;
        node = node->child[index_at(block, level)];
    }
    uint64_t entry = node ? node->entry[index_at(block, 0)] : 0;
    *exclusive =
        entry && own && node->refs == 1 && volume->pool->refs[POOL_ENTRY_BLOCK(entry)] == 1;
    return entry;
}

/* The leaf of a block, to be changed. The nodes were counted before, so there is memory unless the
 * whole process has none left: then nothing more is written. */
static struct node *touch_leaf(struct pool_volume *volume, uint64_t block)
{
    struct pool *pool = volume->pool;
    struct node **link = &volume->root, *node = NULL;
    volume_dirty(volume);
    for (uint32_t level = POOL_LEVELS; level--;) {
        node = touch(pool, link, level);
        if (!node) {
            freeze(pool, "there is no memory for its map");
            return NULL;
        }
        if (level)
            link = &node->child[index_at(block, level)];
    }
    return node;
}

void tree_set(struct pool_volume *volume, uint64_t block, uint64_t entry)
{
    struct node *leaf = touch_leaf(volume, block);
    if (!leaf)
        return;
    uint64_t *at = &leaf->entry[index_at(block, 0)], old = *at;
    *at = entry;
    volume->mapped += (entry != 0) - (uint64_t)(old != 0);
    if (old && (!entry || POOL_ENTRY_BLOCK(old) != POOL_ENTRY_BLOCK(entry)))
        drop_later(volume->pool, DROP_BLOCK, POOL_ENTRY_BLOCK(old), NULL);
}

static struct node *leaf_of(const struct pool_volume *volume, uint64_t block)
{
    struct node *node = volume->root;
    for (uint32_t level = POOL_LEVELS - 1; node && level; level--)
        node = node->child[index_at(block, level)];
    return node;
}

uint32_t tree_needs(const struct pool_volume *volume, uint64_t block)
{
    const struct node *node = volume->root;
    uint32_t needs = 0;
    for (uint32_t level = POOL_LEVELS; level--;) {
        /* Below a node that is copied all have one parent more. */
        needs += !node || needs || node->refs > 1;
        node = node && level ? node->child[index_at(block, level)] : NULL;
    }
    return needs;
}

uint64_t tree_count(const struct node *node)
{
    uint64_t n = 0;
    for (uint32_t i = 0; node && i < POOL_FANOUT; i++)
        n += node->level ? tree_count(node->child[i]) : node->entry[i] != 0;
    return n;
}

bool tree_has_leaf(const struct pool_volume *volume, uint64_t block)
{
    return leaf_of(volume, block);
}

void tree_unmap(struct pool_volume *volume, uint64_t block, uint64_t count)
{
    struct node *leaf = leaf_of(volume, block);
    if (!leaf || !count)
        return;
    if (count == POOL_LEAF_BLOCKS) {
        /* The leaf as a whole: touch only what leads to it. */
        struct node **link = &volume->root;
        volume_dirty(volume);
        for (uint32_t level = POOL_LEVELS - 1; level; level--) {
            struct node *node = touch(volume->pool, link, level);
            if (!node) {
                freeze(volume->pool, "there is no memory for its map");
                return;
            }
            link = &node->child[index_at(block, level)];
        }
        volume->mapped -= tree_count(*link);
        drop_later(volume->pool, DROP_NODE, 0, *link);
        *link = NULL;
        return;
    }
    bool any = false;
    for (uint64_t i = 0; i < count; i++)
        any |= leaf->entry[index_at(block + i, 0)] != 0;
    for (uint64_t i = 0; any && i < count; i++) {
        if (leaf->entry[index_at(block + i, 0)])
            tree_set(volume, block + i, 0);
        leaf = leaf_of(volume, block);
    }
}

static void trim_node(struct pool_volume *volume, struct node **link, uint64_t base,
                      uint64_t blocks)
{
    struct pool *pool = volume->pool;
    struct node *node = *link;
    uint64_t span = 1ull << (9 * node->level);
    if (base + span * POOL_FANOUT <= blocks)
        return;
    if (base >= blocks) {
        volume->mapped -= tree_count(node);
        drop_later(pool, DROP_NODE, 0, node);
        *link = NULL;
        return;
    }
    node = touch(pool, link, node->level);
    if (!node) {
        freeze(pool, "there is no memory for its map");
        return;
    }
    for (uint32_t i = 0; i < POOL_FANOUT; i++) {
        if (!node->entry[i] || base + (i + 1) * span <= blocks)
            continue;
        if (node->level) {
            trim_node(volume, &node->child[i], base + i * span, blocks);
        } else {
            drop_later(pool, DROP_BLOCK, POOL_ENTRY_BLOCK(node->entry[i]), NULL);
            node->entry[i] = 0;
            volume->mapped--;
        }
    }
}

void tree_trim(struct pool_volume *volume, uint64_t blocks)
{
    volume_dirty(volume);
    if (volume->root)
        trim_node(volume, &volume->root, 0, blocks);
}

void drop_later(struct pool *pool, enum drop_kind kind, uint64_t what, struct node *node)
{
    pool->later.drop[pool->later.count++] = (struct drop){.what = what, .node = node, .kind = kind};
    pool->later.frees += kind != DROP_SLOT;
}

static void drop_node(struct pool *pool, struct node *node)
{
    if (--node->refs)
        return;
    node->next = pool->dying;
    pool->dying = node;
}

void drops_apply(struct pool *pool, struct drops *drops)
{
    for (uint32_t i = 0; i < drops->count; i++) {
        const struct drop *drop = &drops->drop[i];
        if (drop->kind == DROP_SLOT)
            slot_drop(pool, (uint32_t)drop->what);
        else if (drop->kind == DROP_BLOCK)
            block_drop(pool, drop->what);
        else
            drop_node(pool, drop->node);
    }
    drops->count = drops->frees = 0;
}

/* One node that nobody points at any more. What it points at may be next. */
static void bury(struct pool *pool)
{
    struct node *node = pool->dying;
    pool->dying = node->next;
    for (uint32_t i = 0; i < POOL_FANOUT; i++) {
        if (!node->entry[i])
            continue;
        if (node->level)
            drop_node(pool, node->child[i]);
        else
            block_drop(pool, POOL_ENTRY_BLOCK(node->entry[i]));
    }
    if (node->slot)
        slot_drop(pool, node->slot);
    node->next = pool->free_node;
    pool->free_node = node;
    pool->nodes--;
}

bool pool_work(struct pool *pool)
{
    for (uint32_t i = 0; i < 64 && pool->dying; i++)
        bury(pool);
    return pool->dying;
}
