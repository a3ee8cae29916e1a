/*
 * All hashes are asked for in one batch, with the product: which sets count is
 * only known afterwards, so that whole hashes are read. A key of another type
 * counts as none, here as at the edge; any other error means that nothing is
 * known.
 *
 * The record that an activation will most likely ask for next comes along,
 * watched like the rest. If it is another one after all, or no record, it is as
 * if it had not been asked for.
 */

#include "rights_held.h"

static void add_user(lp_rights_held_t *held, lp_span_t school, lp_span_t user);
static void add_school(lp_rights_held_t *held, lp_span_t school);
static lp_store_status_t ask(lp_rights_held_t *held, lp_store_t *store,
                             const lp_click_by_t *by);
static size_t name_likely(lp_rights_held_t *held, char *name,
                          const lp_click_by_t *by);
static void read_product(lp_rights_held_t *held, const redisReply *reply,
                         lp_span_t product);
static size_t keep_text(char *dst, size_t size, lp_span_t text);
static void read_rights(lp_rights_held_t *held, unsigned key,
                        const redisReply *reply, uint32_t today);
static int take_right(lp_rights_held_t *held, unsigned key, lp_span_t field,
                      lp_span_t text, int follows);
static lp_span_t value_of(const redisReply *reply, lp_span_t field);

lp_store_status_t
lp_rights_held_read(lp_rights_held_t *held, lp_store_t *store,
                    const lp_click_by_t *by)
{
    lp_store_status_t status;
    unsigned          i;
    int               is_hash;

    held->rights.n = 0;
    lp_rights_held_name(held, by);

    status = ask(held, store, by);
    if (status == LP_STORE_DOWN) {
        return status;
    }

    if (lp_store_text(lp_store_reply(store, 0)).data == NULL) {
        return LP_STORE_REFUSED; /* nothing is watched */
    }

    for (i = 0; i <= held->n_keys; i++) {
        is_hash = lp_rights_held_is_hash(lp_store_reply(store, 1 + i));
        if (is_hash == -1) {
            return LP_STORE_REFUSED;
        }
        if (i > 0) {
            held->keys[i - 1].is_hash = is_hash;
        }
    }

    if (held->likely > 0
        && lp_rights_held_is_hash(lp_store_reply(store, held->likely)) != 1) {
        held->likely = 0;
    }

    read_product(held, lp_store_reply(store, 1), by->product);
    for (i = 0; i < held->n_keys; i++) {
        read_rights(held, i, lp_store_reply(store, 2 + i), by->today);
    }

    return LP_STORE_OK;
}

void
lp_rights_held_drop(lp_rights_held_t *held, const lp_right_t *right)
{
    size_t i, rest;

    i = (size_t) (right - held->rights.list);
    held->rights.n--;
    rest = held->rights.n - i;

    memmove(&held->rights.list[i], &held->rights.list[i + 1],
            rest * sizeof(held->rights.list[0]));
    memmove(&held->found[i], &held->found[i + 1],
            rest * sizeof(held->found[0]));
}

int
lp_rights_held_is_hash(const redisReply *reply)
{
    static const char wrong[] = "WRONGTYPE";

    if (reply == NULL) {
        return -1;
    }
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0) {
        return 1;
    }

    return reply->type == REDIS_REPLY_ERROR
                   && (size_t) reply->len >= sizeof(wrong) - 1
                   && memcmp(reply->str, wrong, sizeof(wrong) - 1) == 0
               ? 0 : -1;
}

/* User at the school, the school, the private customer: the edge's order. */
void
lp_rights_held_name(lp_rights_held_t *held, const lp_click_by_t *by)
{
    unsigned i;

    held->n_keys = 0;

    for (i = 0; by->school.len > 0 && i < by->n_users; i++) {
        add_user(held, by->school, by->users[i]);
    }

    if (by->school.len > 0 && !by->employee) {
        add_school(held, by->school);
    }

    for (i = 0; i < by->n_users; i++) {
        add_user(held, lp_span(""), by->users[i]);
    }
}

static void
add_user(lp_rights_held_t *held, lp_span_t school, lp_span_t user)
{
    lp_held_key_t *key = &held->keys[held->n_keys++];

    key->school = school;
    key->user = user;
    key->shard = lp_shard(school.len > 0 ? school : user);
    key->len = lp_key_user_in(key->name, key->shard, school, user);
}

static void
add_school(lp_rights_held_t *held, lp_span_t school)
{
    lp_held_key_t *key = &held->keys[held->n_keys++];

    key->school = school;
    key->user = lp_span("");
    key->shard = lp_shard(school);
    key->len = lp_key_school_in(key->name, key->shard, school);
}

/* WATCH of all, HGETALL of the product, of each hash, of the likely record. */
static lp_store_status_t
ask(lp_rights_held_t *held, lp_store_t *store, const lp_click_by_t *by)
{
    char      name[LP_KEY_MAX], likely[LP_KEY_MAX];
    lp_span_t words[3 + LP_HELD_KEYS];
    unsigned  i, n;

    words[0] = lp_span("WATCH");
    words[1] = (lp_span_t) {name, lp_key_product(name, by->product)};
    n = 2;
    for (i = 0; i < held->n_keys; i++) {
        words[n++] = lp_held_key(&held->keys[i]);
    }

    held->likely = 0;
    if (by->likely.len == LP_ENTITLEMENT_LEN) {
        held->likely = n;
        words[n++] = (lp_span_t) {likely, name_likely(held, likely, by)};
    }

    lp_store_add(store, (lp_words_t) {words, n});
    for (i = 1; i < n; i++) {
        lp_store_add(store, LP_WORDS(lp_span("HGETALL"), words[i]));
    }

    return lp_store_run(store);
}

/* At home at the school, or with the first user key where there is none. */
static size_t
name_likely(lp_rights_held_t *held, char *name, const lp_click_by_t *by)
{
    held->likely_shard = lp_shard(by->school.len > 0 ? by->school
                                                     : by->users[0]);

    return lp_key_entitlement(name, held->likely_shard, by->likely.data);
}

static void
read_product(lp_rights_held_t *held, const redisReply *reply,
             lp_span_t product)
{
    lp_product_t read;
    size_t       i;

    memset(&read, 0, sizeof(read));
    memset(&held->product, 0, sizeof(held->product));
    held->wanted[0] = product;
    held->n_wanted = 1;
    held->known = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0;

    for (i = 0; held->known && i < reply->elements; i += 2) {
        lp_product_field(&read, lp_store_text(reply->element[i]),
                         lp_store_text(reply->element[i + 1]));
    }

    held->product.free = read.free;
    held->product.in.data = held->in;
    held->product.in.len = keep_text(held->in, sizeof(held->in), read.in);
    held->product.licence.data = held->licence;
    held->product.licence.len = keep_text(held->licence,
                                          sizeof(held->licence),
                                          read.licence);
    held->n_wanted += lp_product_sets(&held->product, held->wanted + 1);
}

/* The reply will be gone. What is longer than it can be is cut. */
static size_t
keep_text(char *dst, size_t size, lp_span_t text)
{
    if (text.len > size) {
        text.len = size;
    }
    if (text.len > 0) {
        memcpy(dst, text.data, text.len);
    }

    return text.len;
}

/* What follows counts where the right itself is of no use today. */
static void
read_rights(lp_rights_held_t *held, unsigned key, const redisReply *reply,
            uint32_t today)
{
    const lp_right_t *right;
    lp_span_t         text, follows;
    char              name[LP_FOLLOWS_MAX];
    unsigned          i;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        return;
    }

    for (i = 0; i < held->n_wanted; i++) {
        text = value_of(reply, held->wanted[i]);
        if (text.data == NULL) {
            continue;
        }

        follows.data = name;
        follows.len = lp_field_follows(name, held->wanted[i]);
        follows = value_of(reply, follows);

        if (take_right(held, key, held->wanted[i], text, 0)) {
            held->found[held->rights.n - 1].more = follows.data != NULL;
            right = &held->rights.list[held->rights.n - 1];

            if (!lp_right_ended(right, today)
                && !lp_right_to_come(right, today)) {
                continue;
            }
        }

        if (follows.data != NULL) {
            take_right(held, key, held->wanted[i], follows, 1);
        }
    }
}

/* 0: it can't be read. */
static int
take_right(lp_rights_held_t *held, unsigned key, lp_span_t field,
           lp_span_t text, int follows)
{
    unsigned i = held->rights.n;

    if (i == LP_RIGHTS_MAX
        || lp_right_parse(&held->rights.list[i], text) != 0) {
        return 0;
    }

    held->found[i].key = key;
    held->found[i].field = field;
    held->found[i].follows = follows;
    held->found[i].more = 0;
    held->rights.n++;

    return 1;
}

static lp_span_t
value_of(const redisReply *reply, lp_span_t field)
{
    size_t i;

    for (i = 0; i < reply->elements; i += 2) {
        if (lp_span_equal(lp_store_text(reply->element[i]), field)) {
            return lp_store_text(reply->element[i + 1]);
        }
    }

    return (lp_span_t) {NULL, 0};
}
