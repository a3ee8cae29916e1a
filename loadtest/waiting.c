/*
 * A binary heap. A class of 25 waits as one entry that is postponed from pupil
 * to pupil: the heap stays small enough for the processor's cache.
 */

#include "waiting.h"

#include <stdlib.h>

void
lp_waiting_free(lp_waiting_t *waiting)
{
    free(waiting->list);
    *waiting = (lp_waiting_t) {NULL, 0, 0};
}

static int
before(const lp_wait_t *a, const lp_wait_t *b)
{
    return a->at_ns < b->at_ns
           || (a->at_ns == b->at_ns && a->number < b->number);
}

int
lp_waiting_add(lp_waiting_t *waiting, int64_t at_ns, uint32_t number)
{
    size_t     i, up, room = waiting->room > 0 ? 2 * waiting->room : 64;
    lp_wait_t *list, own = {at_ns, number};

    if (waiting->n == waiting->room) {
        list = realloc(waiting->list, room * sizeof(*list));
        if (list == NULL) {
            return -1;
        }
        waiting->list = list;
        waiting->room = room;
    }
    for (i = waiting->n++; i > 0; i = up) {
        up = (i - 1) / 2;
        if (!before(&own, &waiting->list[up])) {
            break;
        }
        waiting->list[i] = waiting->list[up];
    }
    waiting->list[i] = own;
    return 0;
}

/* The first place is free: fills it, with own at the place where it belongs. */
static void
sink(lp_waiting_t *waiting, lp_wait_t own)
{
    size_t i, down;

    for (i = 0; (down = 2 * i + 1) < waiting->n; i = down) {
        if (down + 1 < waiting->n
            && before(&waiting->list[down + 1], &waiting->list[down])) {
            down++;
        }
        if (!before(&waiting->list[down], &own)) {
            break;
        }
        waiting->list[i] = waiting->list[down];
    }
    waiting->list[i] = own;
}

void
lp_waiting_postpone(lp_waiting_t *waiting, int64_t at_ns)
{
    sink(waiting, (lp_wait_t) {at_ns, waiting->list[0].number});
}

void
lp_waiting_drop(lp_waiting_t *waiting)
{
    lp_wait_t last = waiting->list[--waiting->n];

    if (waiting->n > 0) {
        sink(waiting, last);
    }
}
