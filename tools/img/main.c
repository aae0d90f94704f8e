/* SPDX-License-Identifier: BSD-2-Clause */
/* mullion-img: makes volume pools on the host, and looks after what is in them. Exit: 0 done, 1
 * refused, 8 wrong usage or no access. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tools/img/copy.h"
#include "tools/img/place.h"
#include "tools/img/store.h"

struct call {
    struct store *store;
    char **word; /* behind the verb */
    int words;
    bool force, shrink;
    const char *format;
};

static int refused(const char *why)
{
    if (why)
        fprintf(stderr, "error: %s\n", why);
    return why ? 1 : 0;
}

static int give(const struct call *c, struct pool_order *order)
{
    return refused(store_order(c->store, order));
}

static void name(struct pool_order *order, const char *text)
{
    if (strlen(text) >= sizeof(order->name[0]))
        die("a name is too long: %s", text);
    snprintf(order->name[order->names++], sizeof(order->name[0]), "%s", text);
}

static void to(struct pool_order *order, const char *text)
{
    if (strlen(text) >= sizeof(order->to))
        die("a name is too long: %s", text);
    snprintf(order->to, sizeof(order->to), "%s", text);
}

static uint64_t size_of(const char *text)
{
    uint64_t bytes;
    if (!place_size(text, &bytes) || !bytes)
        die("'%s' is no size: bytes, or with K, M, G, T", text);
    return (bytes + POOL_SECTOR - 1) / POOL_SECTOR;
}

static int pool_create(const struct call *c)
{
    return refused(store_format(c->store, c->force));
}

static int list(const struct call *c)
{
    struct pool *pool = store_pool(c->store);
    struct pool_numbers n;
    pool_numbers(pool, &n);
    printf("%-32s %12s %12s\n", "Name", "Capacity KiB", "Mapped KiB");
    for (uint32_t i = 0; i < POOL_VOLUMES; i++) {
        const struct pool_volume *v = pool_at(pool, i), *parent = NULL;
        char text[2 * POOL_NAME];
        if (!v)
            continue;
        const struct pool_record *r = pool_record(v);
        for (uint32_t k = 0; k < POOL_VOLUMES && r->flags & POOL_RECORD_SNAPSHOT; k++) {
            const struct pool_volume *other = pool_at(pool, k);
            if (other && pool_record(other)->id == r->parent)
                parent = other;
        }
        snprintf(text, sizeof(text), "%s%s%s", parent ? pool_record(parent)->name : "",
                 parent ? "@" : "", r->name);
        printf("%-32s %12llu %12llu\n", text, (unsigned long long)(r->sectors / 2),
               (unsigned long long)(pool_volume_blocks(v) * POOL_BLOCK_BYTES / 1024));
    }
    printf("%llu KiB in all, %llu KiB free, generation %llu\n",
           (unsigned long long)(n.blocks * POOL_BLOCK_BYTES / 1024),
           (unsigned long long)(n.free_blocks * POOL_BLOCK_BYTES / 1024),
           (unsigned long long)n.generation);
    return 0;
}

static int vol_create(const struct call *c)
{
    struct pool_order order = {.verb = POOL_CREATE, .sectors = size_of(c->word[1])};
    name(&order, c->word[0]);
    return give(c, &order);
}

static int vol_clone(const struct call *c)
{
    struct pool_order order = {.verb = POOL_CLONE};
    name(&order, c->word[0]);
    to(&order, c->word[1]);
    return give(c, &order);
}

static int vol_delete(const struct call *c)
{
    struct pool_order order = {.verb = POOL_DELETE};
    name(&order, c->word[0]);
    return give(c, &order);
}

static int vol_resize(const struct call *c)
{
    struct pool_order order = {.verb = POOL_RESIZE,
                               .flags = c->shrink ? POOL_ORDER_SHRINK : 0,
                               .sectors = size_of(c->word[1])};
    name(&order, c->word[0]);
    return give(c, &order);
}

static int snapshot(const struct call *c, enum pool_verb verb)
{
    struct pool_order order = {.verb = verb};
    if (c->words - 1 > (int)POOL_ORDER_VOLUMES)
        die("at most %u volumes at a time", POOL_ORDER_VOLUMES);
    to(&order, c->word[0]);
    for (int i = 1; i < c->words; i++)
        name(&order, c->word[i]);
    return give(c, &order);
}

static int snapshot_create(const struct call *c)
{
    return snapshot(c, POOL_SNAPSHOT);
}

static int snapshot_revert(const struct call *c)
{
    return snapshot(c, POOL_REVERT);
}

static int import(const struct call *c)
{
    return refused(copy_in(c->store, c->word[0], c->word[1], c->format));
}

static int export(const struct call *c)
{
    return refused(copy_out(c->store, c->word[0], c->word[1], c->format));
}

static const struct verb {
    const char *name;
    int least, most; /* words */
    bool writes, makes;
    int (*run)(const struct call *call);
    const char *usage, *help;
} verbs[] = {
    {"pool-create", 0, 0, true, true, pool_create, "[--force]", "make an empty pool"},
    {"vol-list", 0, 0, false, false, list, "", "volumes, snapshots, and what is free"},
    {"vol-create", 2, 2, true, false, vol_create, "NAME SIZE", "an empty volume"},
    {"vol-clone", 2, 2, true, false, vol_clone, "VOLUME[@SNAPSHOT] NAME",
     "a copy that shares blocks"},
    {"vol-delete", 1, 1, true, false, vol_delete, "VOLUME[@SNAPSHOT]", "its space is free then"},
    {"vol-resize", 2, 2, true, false, vol_resize, "VOLUME SIZE [--shrink]", "another size"},
    {"snapshot-create", 2, 9, true, false, snapshot_create, "NAME VOLUME...",
     "of all volumes at one instant"},
    {"snapshot-revert", 2, 9, true, false, snapshot_revert, "NAME VOLUME...",
     "the volumes are as they were"},
    {"import", 2, 2, true, false, import, "IMAGE VOLUME [--format raw|qcow2]",
     "a new volume with an image's content"},
    {"export", 2, 2, false, false, export, "VOLUME[@SNAPSHOT] IMAGE [--format raw|qcow2]",
     "an image with a volume's content"},
};

static void usage(FILE *out)
{
    fputs("usage: mullion-img [-p PARTITION | -o OFFSET [-s SIZE]] FILE VERB ...\n", out);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        fprintf(out, "  %-15s %-46s %s\n", verbs[i].name, verbs[i].usage, verbs[i].help);
    fputs("  -p      label or UUID of the GPT partition that holds the pool\n"
          "  -o, -s  where it begins, and its size: bytes, or with K, M, G, T\n",
          out);
}

static int run(const struct verb *verb, struct call *c, const struct place *place)
{
    c->store = store_open_file(place, verb->writes);
    if (verb->makes)
        return verb->run(c);
    if (!store_open_pool(c->store, false))
        return 1; /* why was said */
    int status = verb->run(c);
    int closed = refused(store_close(c->store));
    return status ? status : closed;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"force", no_argument, NULL, 'f'},
                                          {"shrink", no_argument, NULL, 'r'},
                                          {"format", required_argument, NULL, 'F'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct place place = {0};
    struct call call = {0};
    int option;
    while ((option = getopt_long(argc, argv, "p:o:s:h", longs, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            return 0;
        }
        call.force |= option == 'f';
        call.shrink |= option == 'r';
        if (option == 'F')
            call.format = optarg;
        else if (option != 'f' && option != 'r' && !place_option(&place, option, optarg)) {
            usage(stderr);
            return 8;
        }
    }
    call.word = argv + optind + 2;
    call.words = argc - optind - 2;
    for (size_t i = 0; call.words >= 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        const struct verb *verb = &verbs[i];
        if (strcmp(verb->name, argv[optind + 1]) != 0)
            continue;
        if (call.words < verb->least || call.words > verb->most)
            break;
        place.path = argv[optind];
        return run(verb, &call, &place);
    }
    usage(stderr);
    return 8;
}
