/*
 * The decision. It is pure: the same product, rights and day give the same
 * answer at the edge and in the worker, and no clock is read here.
 *
 * One pass over the rights notes the first usable one of each kind; the order
 * of preference is applied afterwards, in lp_decide() alone. Rights that are
 * of no use today only leave a mark that tells the pupil why.
 */

#include "decide.h"

#include <stddef.h>

/* What was found among the rights; NULL and 0: nothing of that kind. */
typedef struct {
    const lp_right_t *licensed;
    const lp_right_t *entitled;
    const lp_right_t *open;
    int               blocked;
    int               not_yet;
    int               ended;
} found_t;

static found_t look_over(const lp_rights_t *rights, uint32_t today);
static void note(found_t *found, const lp_right_t *right, uint32_t today);
static void note_valid(found_t *found, const lp_right_t *right);
static lp_outcome_t none_valid(const found_t *found);

lp_outcome_t
lp_decide(const lp_product_t *product, const lp_rights_t *rights,
          uint32_t today, const lp_right_t **right)
{
    found_t found;

    *right = NULL;

    if (product == NULL) {
        return LP_UNKNOWN_PRODUCT;
    }

    if (product->free) {
        return LP_REDIRECT;
    }

    found = look_over(rights, today);

    if (found.licensed != NULL) {
        *right = found.licensed;
        return LP_REDIRECT;
    }

    if (found.blocked) {
        return LP_BLOCKED_OUT;
    }

    *right = found.entitled != NULL ? found.entitled : found.open;

    return *right != NULL ? LP_ACTIVATE : none_valid(&found);
}

static found_t
look_over(const lp_rights_t *rights, uint32_t today)
{
    found_t  found = {NULL, NULL, NULL, 0, 0, 0};
    unsigned i;

    for (i = 0; i < rights->n; i++) {
        note(&found, &rights->list[i], today);
    }

    return found;
}

static void
note(found_t *found, const lp_right_t *right, uint32_t today)
{
    if (lp_right_ended(right, today)) {
        found->ended = 1;
        return;
    }

    if (lp_right_to_come(right, today)) {
        found->not_yet = 1;
        return;
    }

    note_valid(found, right);
}

static void
note_valid(found_t *found, const lp_right_t *right)
{
    const lp_right_t **first;

    switch (right->state) {
    case LP_LICENSED:
        first = &found->licensed;
        break;
    case LP_ENTITLED:
        first = &found->entitled;
        break;
    case LP_OPEN:
        first = &found->open;
        break;
    case LP_BLOCKED:
        found->blocked = 1;
        return;
    default: /* no record that was parsed */
        return;
    }

    if (*first == NULL) {
        *first = right;
    }
}

static lp_outcome_t
none_valid(const found_t *found)
{
    if (found->not_yet) {
        return LP_NOT_YET;
    }

    return found->ended ? LP_ENDED : LP_NO_RIGHT;
}
