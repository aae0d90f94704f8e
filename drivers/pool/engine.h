/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the engine: nodes, volumes, what is free, the commit. */
#ifndef DRIVERS_POOL_ENGINE_H
#define DRIVERS_POOL_ENGINE_H

#include "drivers/pool/pool.h"

#define NO_BLOCK     (~0ull)
#define COMMIT_NODES 128u /* dirty nodes of trees at most */
#define COMMIT_PAGES (COMMIT_NODES + POOL_TABLE_NODES)
#define COMMIT_IOS   16u
#define BOUNCES      16u
#define DROPS_MAX    16384u
#define PIECE_NODES  3u /* that a piece makes dirty */

/* A node of a volume's tree. Shared ones (refs > 1) are never changed: who wants to copies it. */
struct node {
    union {
        uint64_t entry[POOL_FANOUT];     /* level 0 */
        struct node *child[POOL_FANOUT]; /* above */
    };
    struct node *next; /* in one of the lists: free, dirty, dying, to be read */
    uint32_t refs;     /* parents in memory, dying ones included */
    uint32_t slot;     /* where it was last written; 0: nowhere */
    uint32_t crc;
    uint32_t base; /* which of the nodes of its level it is, counted through the volume */
    uint8_t level;
    bool dirty;
};

struct pool_volume {
    struct pool *pool;
    struct pool_record record; /* its root field is made when it is written */
    struct node *root;
    uint32_t index; /* in the table */
    uint32_t users;
    bool held;       /* an order waits until no write is in flight */
    uint64_t hint;   /* block behind the last that was given to it */
    uint64_t mapped; /* blocks in its tree */
    uint32_t active_count, active_structural, active_writes;
    struct pool_request *active;
    struct pool_request *waiting, *waiting_last;
};

/* What becomes free when a commit has ended. */
enum drop_kind { DROP_SLOT, DROP_BLOCK, DROP_NODE };
struct drop {
    uint64_t what; /* slot or block */
    struct node *node;
    enum drop_kind kind;
};
struct drops {
    uint32_t count, frees; /* frees: of them, blocks and nodes */
    struct drop *drop;     /* DROPS_MAX, and what a commit adds */
};

enum commit_step { COMMIT_IDLE, COMMIT_WRITES, COMMIT_FLUSHES, COMMIT_SUPER };

struct pool {
    struct pool_environment env;
    char reason[POOL_REASON];
    uint32_t errors;
    bool opened, frozen, checking;

    struct pool_super super; /* as last committed */
    uint64_t region_blocks, slots;
    /* Blocks: how many leaves point at each, a bit for those that are in use. */
    uint16_t *refs;
    uint64_t *used;
    uint64_t blocks, free_blocks, next_block;
    uint64_t *slot_used;
    uint32_t next_slot;
    /* Checking: which block of its volume each block is, plus 1. */
    uint32_t *owner_block;

    struct node_chunk *chunks; /* memory of all nodes */
    struct node *free_node, *dying;
    struct node *dirty[POOL_LEVELS];
    uint32_t dirty_count;
    uint64_t nodes, node_limit;

    struct pool_volume *volume[POOL_VOLUMES];
    uint32_t table_dirty; /* a bit for each node of the table */
    uint32_t volume_count;

    /* Reserved by pieces that are under way. */
    uint32_t reserved_pieces, reserved_nodes, reserved_drops, reserved_records;
    struct drops later, now; /* of the open transaction; of the commit in flight */
    struct pool_request *stalled, *stalled_last;   /* wait for a commit, or a bounce buffer */
    struct pool_request *flushing, *flushing_last; /* wait for a commit */
    void *bounce[BOUNCES];
    uint32_t bounces;

    enum commit_step step;
    bool commit_wanted;
    uint64_t open_generation; /* what the next commit will be */
    uint32_t commit_pages, commit_written, commit_inflight;
    uint32_t commit_slot[COMMIT_PAGES];
    uint64_t commit_mark; /* of the journal */
    bool commit_failed;
    struct pool_super writing;
    struct pool_io commit_io[COMMIT_IOS];

    /* Reading. */
    struct node *to_read, **by_slot;
    uint32_t reads, load_step, next_table, next_zero;
    bool grown; /* the superblock has a region more than the one on the disk */

    bool has_order;
    uint8_t order_step;
    uint32_t holding;
    bool order_done;   /* its number is to be in the next superblock */
    uint32_t ids_used; /* numbers of volumes that it has given out */
    char order_text[POOL_REASON];
    struct pool_order order;
};

_Static_assert(POOL_TABLE_NODES == 32, "a bit for each");

/* --- places in the own memory --- */
static inline uint8_t *own_page(const struct pool *pool, uint32_t page)
{
    return pool->env.own + (size_t)page * POOL_NODE_BYTES;
}
#define OWN_SUPER  COMMIT_PAGES       /* two pages */
#define OWN_ZERO   (COMMIT_PAGES + 2) /* a page of zeroes */
#define OWN_BOUNCE ((COMMIT_PAGES + 16u) & ~15u)
_Static_assert(OWN_BOUNCE *POOL_NODE_BYTES + BOUNCES * POOL_BLOCK_BYTES <= POOL_OWN_BYTES,
               "the engine's own memory holds what it needs");

/* --- space.c --- */
bool space_init(struct pool *pool);
void space_free(struct pool *pool);
uint64_t block_sector(const struct pool *pool, uint64_t block);
uint64_t slot_sector(const struct pool *pool, uint32_t slot);
/* `wish` if it is free, else the next; NO_BLOCK: none. It has one reference then. */
uint64_t block_take(struct pool *pool, uint64_t wish);
void block_share(struct pool *pool, uint64_t block);
void block_drop(struct pool *pool, uint64_t block);
/* A block that a tree was found to use. False: too many do. */
bool block_found(struct pool *pool, uint64_t block);
uint32_t slot_take(struct pool *pool);
void slot_drop(struct pool *pool, uint32_t slot);
bool slot_is_used(const struct pool *pool, uint32_t slot);
void slot_found(struct pool *pool, uint32_t slot);
uint32_t super_slots(const struct pool_super *super);
uint64_t super_blocks(const struct pool_super *super);

/* --- tree.c --- */
void nodes_free(struct pool *pool);
struct node *node_new(struct pool *pool, uint32_t level);
/* The entry of a block of the volume; *exclusive: nobody else has it. */
uint64_t tree_get(const struct pool_volume *volume, uint64_t block, bool *exclusive);
/* Nodes that a change of the block's entry would take: those that are missing, or shared. */
uint32_t tree_needs(const struct pool_volume *volume, uint64_t block);
/* Blocks below a node: all of them are looked at. */
uint64_t tree_count(const struct node *node);
bool tree_has_leaf(const struct pool_volume *volume, uint64_t block);
/* Nodes for it must be there (PIECE_NODES). What was there is dropped at the next commit, unless it
 * is the same block. */
void tree_set(struct pool_volume *volume, uint64_t block, uint64_t entry);
/* Blocks of one leaf. */
void tree_unmap(struct pool_volume *volume, uint64_t block, uint64_t count);
void tree_trim(struct pool_volume *volume, uint64_t blocks);
void drop_later(struct pool *pool, enum drop_kind kind, uint64_t what, struct node *node);
void drops_apply(struct pool *pool, struct drops *drops);

/* --- journal.c --- */
bool journal_has_room(const struct pool *pool, uint32_t records);
void journal_add(struct pool *pool, const struct pool_volume *volume, uint32_t kind, uint64_t block,
                 uint64_t value);
/* What an earlier process has left. False: it makes no sense. */
bool journal_replay(struct pool *pool);

/* --- commit.c --- */
void commit_wake(struct pool *pool);
bool commit_is_needed(const struct pool *pool);
void commit_flush(struct pool *pool, struct pool_request *request);
void freeze(struct pool *pool, const char *why);
void super_seal(struct pool_super *super);
uint32_t super_crc(const struct pool_super *super);

/* --- volume.c --- */
struct pool_volume *volume_new(struct pool *pool, const struct pool_record *record, uint32_t index);
void volume_dirty(struct pool_volume *volume);
struct pool_volume *volume_by_id(const struct pool *pool, uint32_t id);

/* --- request.c --- */
void request_retry_stalled(struct pool *pool);
void request_wake(struct pool_volume *volume);
void request_finish(struct pool *pool, struct pool_request *request, enum blk_status status);
void request_piece_done(struct pool *pool, struct pool_request *request);

/* --- piece.c --- */
bool piece_is_structural(const struct pool_request *request);
/* DONE: nothing is to be waited for. STALLED: to be tried again after a commit, or when another
 * piece has ended. REFUSED: request->status says why. */
enum piece_verdict { PIECE_STARTED, PIECE_DONE, PIECE_STALLED, PIECE_REFUSED };
enum piece_verdict piece_start(struct pool *pool, struct pool_request *request);

/* --- order.c --- */
void order_step(struct pool *pool);
void order_begun(struct pool *pool);
void order_committed(struct pool *pool, bool good);

/* --- check.c --- */
bool super_take(struct pool *pool, const struct pool_super copy[2]);
bool record_is_good(struct pool *pool, const struct pool_record *record);
bool node_is_good(struct pool *pool, const struct node *node, const uint8_t *page);
/* What is seen only when all is read. */
void check_all(struct pool *pool);
bool pool_name_is_good(const char *name);

/* --- layout.c --- */
/* A region for the sectors behind those that are in use, if they are worth it. */
bool layout_grow(struct pool_super *super, uint64_t sectors);

/* --- load.c --- */
__attribute__((format(printf, 2, 3))) void load_error(struct pool *pool, const char *format, ...);

#endif
