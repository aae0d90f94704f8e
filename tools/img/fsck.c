/* SPDX-License-Identifier: BSD-2-Clause */
/* mullion-fsck: reads all metadata of a volume pool and says what is wrong with it. It never
 * writes. Exit: 0 clean, 4 errors, 8 it could not look. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/img/place.h"
#include "tools/img/store.h"

static void usage(FILE *to)
{
    fputs("usage: mullion-fsck [-p PARTITION | -o OFFSET [-s SIZE]] FILE\n"
          "  Checks the metadata of the volume pool in FILE, a disk, partition or image.\n"
          "  -p  label or UUID of the GPT partition that holds the pool\n"
          "  -o, -s  where it begins, and its size: bytes, or with K, M, G, T\n",
          to);
}

int main(int argc, char **argv)
{
    struct place place = {0};
    struct pool_numbers n;
    int option;
    while ((option = getopt(argc, argv, "p:o:s:h")) != -1) {
        if (option == 'h') {
            usage(stdout);
            return 0;
        }
        if (!place_option(&place, option, optarg)) {
            usage(stderr);
            return 8;
        }
    }
    if (optind + 1 != argc) {
        usage(stderr);
        return 8;
    }
    place.path = argv[optind];
    struct store *store = store_open_file(&place, false);
    if (!store_open_pool(store, true)) {
        fprintf(stderr, "%s: %u errors\n", place.path, store_errors(store));
        return 4;
    }
    pool_numbers(store_pool(store), &n);
    printf(
        "%s: clean, generation %llu, %u volumes and snapshots, %llu of %llu blocks of 64 KiB and "
        "%llu of %llu nodes in use\n",
        place.path, (unsigned long long)n.generation, n.volumes,
        (unsigned long long)(n.blocks - n.free_blocks), (unsigned long long)n.blocks,
        (unsigned long long)n.nodes, (unsigned long long)n.node_limit);
    store_close(store);
    return 0;
}
