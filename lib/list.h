/* SPDX-License-Identifier: BSD-2-Clause */
/* Circular doubly linked list. An unlinked node points to itself, so unlinking twice is harmless.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_add_tail(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
static inline void list_add(struct list *head, struct list *node)
{
    list_add_tail(head->next, node);
}
static inline void list_del(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}
#define list_first(head, type, member) container_of((head)->next, type, member)
#define list_for_each(pos, head, type, member)                                         \
    for (type *pos = container_of((head)->next, type, member); &pos->member != (head); \
         pos = container_of(pos->member.next, type, member))
/* pos may be unlinked or freed in the body. */
#define list_for_each_safe(pos, head, type, member)                       \
    for (type *pos = container_of((head)->next, type, member),            \
              *pos##_next = container_of(pos->member.next, type, member); \
         &pos->member != (head);                                          \
         pos = pos##_next, pos##_next = container_of(pos->member.next, type, member))

#endif
