/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/heap.h"

static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (time_before(b->key, a->key)) {
        struct heap_node *t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Two-pass pairing of a list of siblings. */
static struct heap_node *pair_up(struct heap_node *first)
{
    struct heap_node *pairs = NULL;
    while (first) {
        struct heap_node *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct heap_node *root = NULL;
    while (pairs) {
        struct heap_node *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

void heap_insert(struct heap_node **root, struct heap_node *node, uint64_t key)
{
    *node = (struct heap_node){.key = key};
    *root = meld(*root, node);
}

void heap_remove(struct heap_node **root, struct heap_node *node)
{
    struct heap_node *below = pair_up(node->child);
    if (*root == node) {
        *root = below;
    } else {
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next)
            node->next->prev = node->prev;
        *root = meld(*root, below);
    }
    node->child = node->next = node->prev = NULL;
}
