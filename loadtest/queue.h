/*
 * Queues through things that are in them: no memory of their own, and out of
 * the middle in no time. All limits of time are constants of a plan, so that
 * whoever is first in a queue is also the first to be late: a queue is the
 * whole timer.
 */

#ifndef LP_LOAD_QUEUE_H
#define LP_LOAD_QUEUE_H

#include <stddef.h>

typedef struct lp_link_s lp_link_t;

struct lp_link_s {
    lp_link_t *before;
    lp_link_t *after;
};

typedef struct {
    lp_link_t ends; /* after: the first; before: the last */
    size_t    n;
} lp_queue_t;

/* The thing of a type that has this link as a member. */
#define lp_queue_thing(link, type, member)                                     \
    ((type *) (void *) ((char *) (link) - offsetof(type, member)))

static inline void
lp_queue_start(lp_queue_t *queue)
{
    queue->ends.before = &queue->ends;
    queue->ends.after = &queue->ends;
    queue->n = 0;
}

static inline void
lp_queue_append(lp_queue_t *queue, lp_link_t *link)
{
    link->before = queue->ends.before;
    link->after = &queue->ends;
    link->before->after = link;
    queue->ends.before = link;
    queue->n++;
}

/* Before all others. */
static inline void
lp_queue_push(lp_queue_t *queue, lp_link_t *link)
{
    link->before = &queue->ends;
    link->after = queue->ends.after;
    link->after->before = link;
    queue->ends.after = link;
    queue->n++;
}

static inline void
lp_queue_remove(lp_queue_t *queue, lp_link_t *link)
{
    link->before->after = link->after;
    link->after->before = link->before;
    link->before = NULL;
    link->after = NULL;
    queue->n--;
}

/* NULL where there is none. */
static inline lp_link_t *
lp_queue_first(const lp_queue_t *queue)
{
    return queue->n == 0 ? NULL : queue->ends.after;
}

static inline lp_link_t *
lp_queue_last(const lp_queue_t *queue)
{
    return queue->n == 0 ? NULL : queue->ends.before;
}

#endif
