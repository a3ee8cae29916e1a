/*
 * Products are compared in batches: WATCH and HGETALL of each, then one
 * transaction of what differs; a batch that somebody else wrote into meanwhile
 * is done again. A product that is only mentioned (a part whose row is in
 * another catalogue, or was refused) has its "in" brought up to date where it
 * is known, and nothing else.
 */

#include "catalogue_store.h"

#include "../core/keys.h"
#include "products.h"
#include "record.h"

#define BATCH         128
#define TRIES_MAX     20
#define SETS_TEXT_MAX (LP_SETS_MAX * 65)
#define FIELD_NAME    0 /* in lp_product_fields */
#define FIELD_IN      4
#define MEMBERS_BATCH 512
#define MEMORY_PREFIX "catalogue:"
#define PART_MARK     '+' /* before an id that no product can begin with */
#define MEMORY_MAX    (sizeof(MEMORY_PREFIX) + LP_ENTITLEMENT_LEN)

/* What is to become of one product. */
typedef struct {
    lp_span_t set[2 + 2 * LP_PRODUCT_FIELDS]; /* HSET key ... */
    lp_span_t del[2 + LP_PRODUCT_FIELDS];     /* HDEL key ... */
    unsigned  n_set, n_del;
    int       exists;
    char      key[LP_KEY_MAX];
    int       found_by; /* what it is found by changes */
    lp_span_t name; /* as it becomes; data NULL: as it is */
    int       too_many; /* sets: what it is in stays as it is */
    lp_span_t sets_now; /* what it is in then */
    char      sets[SETS_TEXT_MAX];
} change_t;

static lp_span_t
memory_key(char *dst, const char *url)
{
    memcpy(dst, MEMORY_PREFIX, sizeof(MEMORY_PREFIX) - 1);
    (void) lp_ref_id(dst + sizeof(MEMORY_PREFIX) - 1, lp_span_of(url));
    return (lp_span_t) {dst, MEMORY_MAX - 1};
}

lp_store_status_t
lp_catalogue_recall(lp_catalogue_t *catalogue, lp_store_t *store,
                    const char *url)
{
    char              key[MEMORY_MAX];
    const redisReply *reply;
    lp_span_t         id;
    uint32_t          number;
    size_t            i;
    int               is_part;

    reply = lp_store_ask(store, LP_WORDS(lp_span("SMEMBERS"),
                                         memory_key(key, url)));
    if (reply == NULL) {
        return lp_store_status(store);
    }
    for (i = 0; i < reply->elements; i++) {
        id = lp_store_text(reply->element[i]);
        is_part = id.len > 0 && id.data[0] == PART_MARK;
        id.data += is_part;
        id.len -= (size_t) is_part;
        if (!lp_product_valid(id)) {
            continue;
        }
        number = lp_catalogue_id(catalogue, id);
        if (number == LP_NAMES_FULL) {
            return LP_STORE_DOWN;
        }
        catalogue->items[number].remembered |= !is_part;
    }
    return LP_STORE_OK;
}

/* The i-th id as it is remembered; len 0: it is not, or already. A part that
   is not listed is noted too: it leaves the set when the set lets it go. */
static lp_span_t
member_of(const lp_catalogue_t *catalogue, uint32_t i, char *dst)
{
    const lp_catalogue_item_t *item = &catalogue->items[i];
    lp_span_t                  id = lp_name(&catalogue->ids, i);

    if (item->accepted) {
        return item->remembered ? lp_span("") : id;
    }
    if (item->n_sets == 0) {
        return lp_span("");
    }
    dst[0] = PART_MARK;
    memcpy(dst + 1, id.data, id.len);
    return (lp_span_t) {dst, 1 + id.len};
}

lp_store_status_t
lp_catalogue_remember(const lp_catalogue_t *catalogue, lp_store_t *store,
                      const char *url)
{
    char              key[MEMORY_MAX], part[LP_KEY_MAX];
    lp_span_t         member, memory = memory_key(key, url);
    lp_store_status_t status = LP_STORE_OK;
    uint32_t          i, n = 0;

    for (i = 0; i < catalogue->ids.n && status == LP_STORE_OK; i++) {
        member = member_of(catalogue, i, part);
        if (member.len == 0) {
            continue;
        }
        lp_store_add(store, LP_WORDS(lp_span("SADD"), memory, member));
        if (++n % MEMBERS_BATCH == 0) {
            status = lp_store_run(store);
        }
    }
    return status == LP_STORE_OK ? lp_store_run(store) : status;
}

/* Comparing. */

static lp_span_t
find_field(const redisReply *reply, const char *name)
{
    size_t i;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        if (lp_span_equal(lp_store_text(reply->element[i]),
                          lp_span_of(name))) {
            return lp_store_text(reply->element[i + 1]);
        }
    }
    return (lp_span_t) {NULL, 0};
}

static void
want(change_t *change, const char *field, lp_span_t old, lp_span_t new)
{
    if (lp_span_equal(old, new)) {
        return;
    }
    if (new.len == 0) {
        change->del[change->n_del++] = lp_span_of(field);
        return;
    }
    change->set[change->n_set++] = lp_span_of(field);
    change->set[change->n_set++] = new;
}

/* "free" is 1 or not there; 0 is written by nobody but an operator. */
static lp_span_t
wanted_field(const lp_catalogue_item_t *item, unsigned i, lp_span_t old)
{
    lp_span_t new;

    if (item->fields[i] == NULL) {
        return old;
    }
    new = lp_span_of(item->fields[i]);
    if (strcmp(lp_product_fields[i], "free") == 0
        && lp_span_equal(new, lp_span("0"))) {
        return lp_span_equal(old, lp_span("1")) ? lp_span("") : old;
    }
    return new;
}

static void
compare_sets(lp_catalogue_t *catalogue, uint32_t number, change_t *change,
             lp_span_t old)
{
    int len = lp_catalogue_sets(catalogue, number, old, change->sets,
                                sizeof(change->sets));

    change->too_many = len == -1;
    change->sets_now = (lp_span_t) {change->sets, len == -1 ? 0 : (size_t) len};
    if (len != -1) {
        want(change, lp_product_fields[FIELD_IN], old, change->sets_now);
        change->found_by |= !lp_span_equal(change->sets_now, old);
    }
}

static void
compare(lp_catalogue_t *catalogue, uint32_t number, change_t *change,
        const redisReply *reply)
{
    lp_catalogue_item_t *item;
    lp_span_t            old;
    unsigned             i;

    change->key[0] = '\0';
    change->set[0] = lp_span("HSET");
    change->del[0] = lp_span("HDEL");
    change->n_set = change->n_del = 2;
    change->exists = reply->elements > 0;
    change->too_many = 0;
    change->name = (lp_span_t) {NULL, 0};
    change->found_by = !change->exists;
    item = &catalogue->items[number];
    if (!item->accepted && !change->exists) {
        return;
    }
    change->set[1].data = change->del[1].data = change->key;
    change->set[1].len = change->del[1].len =
        lp_key_product(change->key, lp_name(&catalogue->ids, number));
    for (i = 0; item->accepted && i < LP_PRODUCT_FIELDS; i++) {
        old = find_field(reply, lp_product_fields[i]);
        if (i != FIELD_IN) {
            want(change, lp_product_fields[i], old,
                 wanted_field(item, i, old));
        }
        if (i == FIELD_NAME) {
            change->name = wanted_field(item, i, old);
            change->found_by |= !lp_span_equal(change->name, old);
        }
    }
    compare_sets(catalogue, number, change,
                 find_field(reply, lp_product_fields[FIELD_IN]));
}

/* Writing. */

static void
ask(lp_catalogue_t *catalogue, lp_store_t *store, uint32_t from, unsigned n)
{
    lp_span_t words[1 + BATCH];
    char      keys[BATCH][LP_KEY_MAX];
    unsigned  i;

    words[0] = lp_span("WATCH");
    for (i = 0; i < n; i++) {
        words[1 + i].data = keys[i];
        words[1 + i].len = lp_key_product(keys[i],
                                          lp_name(&catalogue->ids, from + i));
    }
    lp_store_add(store, (lp_words_t) {words, 1 + n});
    for (i = 0; i < n; i++) {
        lp_store_add(store, LP_WORDS(lp_span("HGETALL"), words[1 + i]));
    }
}

/* Adds the commands of a change, where there are any. */
static void
add_change(lp_store_t *store, lp_span_t product, const change_t *change)
{
    if (change->n_set <= 2 && change->n_del <= 2) {
        return;
    }
    if (change->n_set > 2) {
        lp_store_add(store, (lp_words_t) {change->set, change->n_set});
    }
    if (change->n_del > 2) {
        lp_store_add(store, (lp_words_t) {change->del, change->n_del});
    }
    if (change->found_by) {
        (void) lp_products_note(lp_products_to_store, store, product,
                                change->name, change->sets_now);
    }
}

static void
count_change(const lp_catalogue_item_t *item, const change_t *change,
             lp_catalogue_count_t *count)
{
    int differs = change->n_set > 2 || change->n_del > 2;

    if (item->accepted && !change->exists) {
        count->made++;
    } else if (differs) {
        count->changed++;
    } else if (item->accepted) {
        count->unchanged++;
    }
    count->gone += item->remembered && !item->listed && change->exists;
}

/* One batch, once. */
static lp_store_status_t
try_batch(lp_catalogue_t *catalogue, lp_store_t *store, uint32_t from,
          unsigned n, change_t *changes)
{
    lp_store_status_t status;
    unsigned          i;

    ask(catalogue, store, from, n);
    status = lp_store_run(store);
    for (i = 0; i < n && status == LP_STORE_OK; i++) {
        compare(catalogue, from + i, &changes[i],
                lp_store_reply(store, 1 + i));
    }
    return status;
}

static lp_store_status_t
write_batch(lp_catalogue_t *catalogue, lp_store_t *store, uint32_t from,
            const change_t *changes, unsigned n, int dry)
{
    unsigned i, differ = 0;

    for (i = 0; i < n; i++) {
        differ += changes[i].n_set > 2 || changes[i].n_del > 2;
    }
    if (dry || differ == 0) {
        lp_store_unwatch(store);
        return LP_STORE_OK;
    }
    lp_store_begin(store);
    for (i = 0; i < n; i++) {
        add_change(store, lp_name(&catalogue->ids, from + i), &changes[i]);
    }
    return lp_store_commit(store);
}

static lp_store_status_t
do_batch(lp_catalogue_t *catalogue, lp_store_t *store, uint32_t from,
         unsigned n, int dry, lp_catalogue_count_t *count)
{
    static change_t   changes[BATCH];
    lp_store_status_t status;
    unsigned          i, tries = 0;

    do {
        status = try_batch(catalogue, store, from, n, changes);
        if (status == LP_STORE_OK) {
            status = write_batch(catalogue, store, from, changes, n, dry);
        }
    } while (status == LP_STORE_CONFLICT && ++tries < TRIES_MAX);
    for (i = 0; i < n && status == LP_STORE_OK; i++) {
        count_change(&catalogue->items[from + i], &changes[i], count);
        if (changes[i].too_many) {
            lp_catalogue_refuse(catalogue, lp_name(&catalogue->ids, from + i),
                                "bundledProducts",
                                "it is in more than 16 sets");
        }
    }
    return status;
}

lp_store_status_t
lp_catalogue_store(lp_catalogue_t *catalogue, lp_store_t *store, int dry,
                   lp_catalogue_count_t *count)
{
    lp_store_status_t status = LP_STORE_OK;
    uint32_t          from, all = catalogue->ids.n;
    unsigned          n;

    memset(count, 0, sizeof(*count));
    for (from = 0; from < all && status == LP_STORE_OK; from += n) {
        n = all - from < BATCH ? all - from : BATCH;
        status = do_batch(catalogue, store, from, n, dry, count);
    }
    return status;
}
