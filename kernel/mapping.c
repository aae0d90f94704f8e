/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/mapping.h"

/* Any spread will do for balance; mixes the address (splitmix64's finaliser constants). */
static uint64_t spread(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* Splits by address: *low gets what lies below, *high the rest. */
static void split(struct mapping *root, uint64_t address, struct mapping **low,
                  struct mapping **high)
{
    while (root) {
        if (root->address < address) {
            *low = root;
            low = &root->right;
            root = root->right;
        } else {
            *high = root;
            high = &root->left;
            root = root->left;
        }
    }
    *low = *high = NULL;
}

static struct mapping *merge(struct mapping *low, struct mapping *high)
{
    struct mapping *root = NULL, **at = &root;
    while (low && high) {
        if (low->heap_key > high->heap_key) {
            *at = low;
            at = &low->right;
            low = low->right;
        } else {
            *at = high;
            at = &high->left;
            high = high->left;
        }
    }
    *at = low ? low : high;
    return root;
}

void mapping_insert(struct space *space, struct mapping *mapping)
{
    mapping->heap_key = spread(mapping->address);
    struct mapping **at = &space->root;
    while (*at && (*at)->heap_key > mapping->heap_key)
        at = mapping->address < (*at)->address ? &(*at)->left : &(*at)->right;
    struct mapping *below = *at;
    *at = mapping;
    split(below, mapping->address, &mapping->left, &mapping->right);
    space->mappings++;
}

void mapping_remove(struct space *space, struct mapping *mapping)
{
    struct mapping **at = &space->root;
    while (*at != mapping)
        at = mapping->address < (*at)->address ? &(*at)->left : &(*at)->right;
    *at = merge(mapping->left, mapping->right);
    space->mappings--;
}

struct mapping *mapping_find(struct space *space, uint64_t address, uint64_t size)
{
    struct mapping *best = NULL;
    for (struct mapping *m = space->root; m;) {
        if (m->address + m->size <= address) {
            m = m->right;
        } else {
            if (m->address < address + size)
                best = m;
            m = m->left;
        }
    }
    return best;
}
