/*
 * The chain is a list in order of kindness (lp_chain_compare()), as it was when
 * it was last changed. Time passes and nobody sends anything: for that day the
 * right that will be best once the first has ended stands beside it, as
 * "<product>+". All of it is put in order again by the next message about any
 * of the entitlements, and by an activation.
 *
 * A right without a record is an operator's. It takes its place among the
 * others, and is never taken away by what sellers send.
 *
 * The ids of one user are sent alike in every entitlement. Where they are not,
 * the chain of the ids in the message is put in order, and an id that only
 * other entitlements have keeps the right that it has.
 */

#include "chain.h"

#include <stdlib.h>

#include "../core/day.h"

#define RIGHTS_MAX (LP_CHAIN_MAX + 2) /* with an operator's two */

typedef struct {
    lp_record_t *record;
    lp_right_t   right;
} candidate_t;

/* What one holder may have. */
typedef struct {
    const lp_right_t *list[RIGHTS_MAX];
    unsigned          n;
} rights_t;

typedef enum {
    LICENSED = 0,
    BLOCKED,
    USABLE,
    TO_COME,
    ENDED
} rank_t;

static rank_t rank(const lp_right_t *right, uint32_t today);
static int compare_days(uint32_t a, uint32_t b);
static void hold(lp_chain_t *chain, const lp_record_t *record,
                 const char *user);
static int seek_one(lp_chain_t *chain, const lp_record_t *record,
                    const char *entitlement);
static unsigned line_up(const lp_chain_t *chain, lp_record_t *record,
                        uint32_t today, candidate_t *list);
static void link_up(const candidate_t *list, unsigned n);
static void gather(const lp_chain_t *chain, const lp_holder_t *holder,
                   const candidate_t *list, unsigned n, rights_t *rights);
static void write_rights(const lp_holder_t *holder, lp_store_t *store,
                         const rights_t *rights, lp_span_t product,
                         uint32_t today);

int
lp_chain_compare(const lp_right_t *a, const lp_right_t *b, uint32_t today)
{
    rank_t rank_a = rank(a, today), rank_b = rank(b, today);
    int    d;

    if (rank_a != rank_b) {
        return rank_a < rank_b ? -1 : 1;
    }
    switch (rank_a) {
    case USABLE:
        d = compare_days(a->until, b->until);
        break;
    case TO_COME:
        d = a->from != b->from ? (a->from < b->from ? -1 : 1)
                               : compare_days(a->until, b->until);
        break;
    default:
        d = compare_days(b->until, a->until);
        break;
    }
    return d != 0 ? d
                  : memcmp(a->entitlement, b->entitlement, LP_ENTITLEMENT_LEN);
}

static rank_t
rank(const lp_right_t *right, uint32_t today)
{
    if (lp_right_ended(right, today)) {
        return ENDED;
    }
    if (right->state == LP_BLOCKED) {
        return BLOCKED;
    }
    if (lp_right_to_come(right, today)) {
        return TO_COME;
    }
    return right->state == LP_LICENSED ? LICENSED : USABLE;
}

/* Last days: 0 is no end. */
static int
compare_days(uint32_t a, uint32_t b)
{
    a = a == 0 ? UINT32_MAX : a;
    b = b == 0 ? UINT32_MAX : b;
    return (a > b) - (a < b);
}

void
lp_chain_holders(lp_chain_t *chain, const lp_record_t *record)
{
    unsigned i;

    memset(chain, 0, sizeof(*chain));
    if (record->type == LP_TYPE_OPEN) {
        hold(chain, record, NULL);
        return;
    }
    for (i = 0; i < record->n_users; i++) {
        hold(chain, record, record->users[i]);
    }
}

static void
hold(lp_chain_t *chain, const lp_record_t *record, const char *user)
{
    lp_holder_t *holder = &chain->holders[chain->n_holders++];
    lp_span_t    school = lp_field(&record->school);

    holder->user = user;
    holder->key_len = user == NULL
                          ? lp_key_school(holder->key, school)
                          : lp_key_user(holder->key, school,
                                        (lp_span_t) {user, LP_USER_KEY_LEN});
}

void
lp_slots_ask(lp_store_t *store, lp_span_t key, lp_span_t product)
{
    char      name[LP_FOLLOWS_MAX];
    lp_span_t follows = {name, lp_field_follows(name, product)};

    lp_store_add(store, LP_WORDS(lp_span("HMGET"), key, product, follows));
}

void
lp_slots_read(lp_slot_t *first, lp_slot_t *follows, const redisReply *reply)
{
    lp_slot_t *slot[2] = {first, follows};
    lp_span_t  text;
    unsigned   i;

    for (i = 0; i < 2; i++) {
        text = (lp_span_t) {NULL, 0};
        if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
            && reply->elements == 2) {
            text = lp_store_text(reply->element[i]);
        }
        slot[i]->any = text.data != NULL;
        slot[i]->has = slot[i]->any
                       && lp_right_parse(&slot[i]->right, text) == 0;
    }
}

void
lp_chain_clear(lp_chain_t *chain)
{
    free(chain->members);
    chain->members = NULL;
    chain->n_members = 0;
}

int
lp_chain_seek(lp_chain_t *chain, const lp_record_t *record)
{
    const lp_holder_t *holder;
    unsigned           i;
    int                rc = 0;

    for (i = 0; i < chain->n_holders; i++) {
        holder = &chain->holders[i];
        if (holder->first.has) {
            rc |= seek_one(chain, record, holder->first.right.entitlement);
        }
        if (holder->follows.has) {
            rc |= seek_one(chain, record, holder->follows.right.entitlement);
        }
    }
    if (record->has_next) {
        rc |= seek_one(chain, record, record->next);
    }
    return rc;
}

/* Each is noted once; record itself is no member. */
static int
seek_one(lp_chain_t *chain, const lp_record_t *record, const char *entitlement)
{
    unsigned i;

    if (memcmp(record->entitlement, entitlement, LP_ENTITLEMENT_LEN) == 0) {
        return 0;
    }
    if (chain->members == NULL) {
        chain->members = calloc(LP_CHAIN_MAX, sizeof(lp_member_t));
        if (chain->members == NULL) {
            return -1;
        }
    }
    for (i = 0; i < chain->n_members; i++) {
        if (memcmp(chain->members[i].before.entitlement, entitlement,
                   LP_ENTITLEMENT_LEN)
            == 0) {
            return 0;
        }
    }
    if (chain->n_members < LP_CHAIN_MAX) {
        memcpy(chain->members[chain->n_members++].before.entitlement,
               entitlement, LP_ENTITLEMENT_LEN);
    }
    return 0;
}

static void
add_read(lp_store_t *store, unsigned shard, const char *entitlement)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_entitlement(name, shard, entitlement)};

    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
}

unsigned
lp_chain_ask(lp_chain_t *chain, lp_store_t *store, const lp_record_t *record)
{
    unsigned i, n = 0;

    for (i = 0; i < chain->n_members; i++) {
        if (!chain->members[i].read) {
            chain->members[i].before.shard = record->shard;
            add_read(store, record->shard,
                     chain->members[i].before.entitlement);
            n++;
        }
    }
    return n;
}

/* A record that can't be read counts as none: its right is an operator's. */
static void
read_member(lp_member_t *member, const redisReply *reply)
{
    char     entitlement[LP_ENTITLEMENT_LEN];
    unsigned shard = member->before.shard;

    memcpy(entitlement, member->before.entitlement, LP_ENTITLEMENT_LEN);
    if (lp_record_read(&member->before, entitlement, shard, reply) != 0) {
        member->before.exists = 0;
    }
    member->after = member->before;
    member->read = 1;
}

/* There is memory for it: member lies in it. */
static void
seek_next(lp_chain_t *chain, const lp_record_t *record,
          const lp_member_t *member)
{
    if (member->before.exists && member->before.has_next) {
        (void) seek_one(chain, record, member->before.next);
    }
}

void
lp_chain_take(lp_chain_t *chain, const lp_store_t *store,
              const lp_record_t *record, unsigned *at)
{
    unsigned     i, n = chain->n_members;
    lp_member_t *member;

    for (i = 0; i < n; i++) {
        member = &chain->members[i];
        if (member->read) {
            continue;
        }
        read_member(member, lp_store_reply(store, *at + 1));
        *at += 2;
        seek_next(chain, record, member);
    }
}

lp_store_status_t
lp_chain_find(lp_chain_t *chain, lp_store_t *store, const lp_record_t *record)
{
    lp_member_t      *member;
    lp_record_t       found;
    lp_store_status_t status;
    unsigned          i;

    for (i = 0; i < chain->n_members; i++) {
        member = &chain->members[i];
        if (!member->read || member->before.exists || member->sought) {
            continue;
        }
        member->sought = 1;
        status = lp_record_find(store, &found, member->before.entitlement);
        if (status != LP_STORE_OK) {
            return status;
        }
        if (!found.exists || found.shard == member->before.shard) {
            continue;
        }
        member->before.shard = found.shard;
        add_read(store, found.shard, found.entitlement);
        status = lp_store_run(store);
        if (status != LP_STORE_OK) {
            return status;
        }
        read_member(member, lp_store_reply(store, 1));
        seek_next(chain, record, member);
    }
    return LP_STORE_OK;
}

unsigned
lp_chain_alive(const lp_chain_t *chain, uint32_t today)
{
    lp_right_t right;
    unsigned   i, n = 0;

    for (i = 0; i < chain->n_members; i++) {
        n += chain->members[i].before.exists
             && lp_record_right(&chain->members[i].before, &right)
             && rank(&right, today) != ENDED;
    }
    return n;
}

void
lp_chain_write(lp_chain_t *chain, lp_store_t *store, lp_record_t *record,
               uint32_t today)
{
    candidate_t list[LP_CHAIN_MAX + 1];
    rights_t    rights;
    unsigned    i, n;

    record->has_next = 0;
    n = line_up(chain, record, today, list);
    link_up(list, n);
    for (i = 0; i < chain->n_members; i++) {
        if (chain->members[i].before.exists) {
            lp_record_write(store, &chain->members[i].after,
                            &chain->members[i].before);
        }
    }
    for (i = 0; i < chain->n_holders; i++) {
        gather(chain, &chain->holders[i], list, n, &rights);
        write_rights(&chain->holders[i], store, &rights,
                     lp_field(&record->product), today);
    }
}

/* All that give a right, the best first. */
static unsigned
line_up(const lp_chain_t *chain, lp_record_t *record, uint32_t today,
        candidate_t *list)
{
    candidate_t  one;
    lp_record_t *next;
    unsigned     i, j, n = 0;

    for (i = 0; i <= chain->n_members; i++) {
        next = i == 0 ? record : &chain->members[i - 1].after;
        if ((i > 0 && !next->exists) || !lp_record_right(next, &one.right)) {
            continue;
        }
        one.record = next;
        for (j = n; j > 0
                    && lp_chain_compare(&one.right, &list[j - 1].right, today)
                           < 0;
             j--) {
            list[j] = list[j - 1];
        }
        list[j] = one;
        n++;
    }
    return n > LP_CHAIN_MAX ? LP_CHAIN_MAX : n;
}

static void
link_up(const candidate_t *list, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        list[i].record->has_next = i + 1 < n;
        if (i + 1 < n) {
            memcpy(list[i].record->next, list[i + 1].record->entitlement,
                   LP_ENTITLEMENT_LEN);
        }
    }
}

static int
is_held(const lp_record_t *record, const lp_holder_t *holder)
{
    unsigned i;

    if (holder->user == NULL) {
        return record->type == LP_TYPE_OPEN;
    }
    for (i = 0; i < record->n_users; i++) {
        if (memcmp(record->users[i], holder->user, LP_USER_KEY_LEN) == 0) {
            return 1;
        }
    }
    return 0;
}

/* An operator gave this right by hand: no record is behind it. */
static int
is_operators(const lp_chain_t *chain, const lp_slot_t *slot)
{
    unsigned i;

    for (i = 0; slot->has && i < chain->n_members; i++) {
        if (memcmp(chain->members[i].before.entitlement,
                   slot->right.entitlement, LP_ENTITLEMENT_LEN)
            == 0) {
            return !chain->members[i].before.exists;
        }
    }
    return 0;
}

static void
gather(const lp_chain_t *chain, const lp_holder_t *holder,
       const candidate_t *list, unsigned n, rights_t *rights)
{
    unsigned i;

    rights->n = 0;
    for (i = 0; i < n; i++) {
        if (is_held(list[i].record, holder)) {
            rights->list[rights->n++] = &list[i].right;
        }
    }
    if (is_operators(chain, &holder->first)) {
        rights->list[rights->n++] = &holder->first.right;
    }
    if (is_operators(chain, &holder->follows)) {
        rights->list[rights->n++] = &holder->follows.right;
    }
}

/* Of all but one; NULL: there is none. */
static const lp_right_t *
best_of(const rights_t *rights, const lp_right_t *but, uint32_t day)
{
    const lp_right_t *best = NULL, *right;
    unsigned          i;

    for (i = 0; i < rights->n; i++) {
        right = rights->list[i];
        if (right != but
            && (best == NULL || lp_chain_compare(right, best, day) < 0)) {
            best = right;
        }
    }
    return best;
}

/* What serves the user best on the day after the first one ends; none of it
   has ended today already. */
static const lp_right_t *
best_after(const rights_t *rights, const lp_right_t *first, uint32_t today)
{
    const lp_right_t *best;
    uint32_t          day = today;

    if (first->until >= today) {
        day = lp_day_numbered(lp_day_number(first->until) + 1);
    }
    best = best_of(rights, first, day);
    if (best != NULL && rank(best, day) == ENDED) {
        best = best_of(rights, first, today);
    }
    return best == NULL || rank(best, today) == ENDED ? NULL : best;
}

static void
write_slot(lp_store_t *store, lp_span_t key, lp_span_t field,
           const lp_slot_t *slot, const lp_right_t *right)
{
    char      text[LP_RIGHT_MAX], stored[LP_RIGHT_MAX];
    lp_span_t now, old;

    if (right == NULL) {
        if (slot->any) {
            lp_store_add(store, LP_WORDS(lp_span("HDEL"), key, field));
        }
        return;
    }
    now = (lp_span_t) {text, lp_right_format(text, right)};
    old = (lp_span_t) {stored,
                       slot->has ? lp_right_format(stored, &slot->right) : 0};
    if (!lp_span_equal(now, old)) {
        lp_store_add(store, LP_WORDS(lp_span("HSET"), key, field, now));
    }
}

static void
write_rights(const lp_holder_t *holder, lp_store_t *store,
             const rights_t *rights, lp_span_t product, uint32_t today)
{
    char              name[LP_FOLLOWS_MAX];
    lp_span_t         key = {holder->key, holder->key_len};
    lp_span_t         field = {name, lp_field_follows(name, product)};
    const lp_right_t *first = best_of(rights, NULL, today), *follows = NULL;

    if (first != NULL) {
        follows = best_after(rights, first, today);
    }
    write_slot(store, key, product, &holder->first, first);
    write_slot(store, key, field, &holder->follows, follows);
}
