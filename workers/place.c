/*
 * Where a record is. All that belongs to a school lies in one slot, so that it
 * changes in one transaction; but a seller names an entitlement by its id
 * alone. The index x: answers that, at about 22 bytes for an entitlement: its
 * hashes, 262144 of them over all shards, are small enough to stay packed.
 *
 * A place is claimed before its record is written and never changes. A place
 * without a record (a worker died between the two) is as good as none: the
 * message comes again.
 */

#include "record.h"

#define PLACE_LEN 3 /* characters of the entitlement in x:'s name */

static size_t key(char *dst, char type, unsigned shard, lp_span_t rest);

size_t
lp_key_entitlement(char *dst, unsigned shard, const char *entitlement)
{
    return key(dst, 'e', shard, (lp_span_t) {entitlement, LP_ENTITLEMENT_LEN});
}

size_t
lp_key_place(char *dst, const char *entitlement)
{
    lp_span_t first = {entitlement, PLACE_LEN};

    return key(dst, 'x', lp_shard(first), first);
}

size_t
lp_key_held(char *dst, lp_span_t school, lp_span_t user)
{
    size_t len;

    if (school.len > 0) {
        return key(dst, 'i', lp_shard(school), school);
    }

    /* the name of a private customer's rights, and another letter */
    len = lp_key_user(dst, school, user);
    if (len > 0) {
        dst[0] = 'i';
    }

    return len;
}

size_t
lp_key_journal(char *dst, unsigned shard)
{
    memcpy(dst, "journal:{00}", 12);
    dst[9] = (char) ('0' + shard / 10);
    dst[10] = (char) ('0' + shard % 10);

    return 12;
}

size_t
lp_key_usage(char *dst, unsigned shard)
{
    memcpy(dst, "usage:{00}", 10);
    dst[7] = (char) ('0' + shard / 10);
    dst[8] = (char) ('0' + shard % 10);

    return 10;
}

unsigned
lp_record_home(const lp_record_t *record)
{
    if (record->school.len > 0) {
        return lp_shard(lp_field(&record->school));
    }

    return lp_shard(record->n_users > 0
                        ? (lp_span_t) {record->users[0], LP_USER_KEY_LEN}
                        : (lp_span_t) {record->entitlement,
                                       LP_ENTITLEMENT_LEN});
}

void
lp_place_claim(lp_store_t *store, const lp_record_t *record)
{
    char      name[LP_KEY_MAX], digits[2];
    lp_span_t place = {name, lp_key_place(name, record->entitlement)};
    lp_span_t rest = {record->entitlement + PLACE_LEN,
                      LP_ENTITLEMENT_LEN - PLACE_LEN};
    unsigned  home = lp_record_home(record);

    digits[0] = (char) ('0' + home / 10);
    digits[1] = (char) ('0' + home % 10);

    lp_store_add(store, LP_WORDS(lp_span("HSETNX"), place, rest,
                                 ((lp_span_t) {digits, sizeof(digits)})));
    lp_store_add(store, LP_WORDS(lp_span("HGET"), place, rest));
}

void
lp_place_write(lp_store_t *store, const lp_record_t *record)
{
    char      name[LP_KEY_MAX], digits[2];
    lp_span_t place = {name, lp_key_place(name, record->entitlement)};
    lp_span_t rest = {record->entitlement + PLACE_LEN,
                      LP_ENTITLEMENT_LEN - PLACE_LEN};

    digits[0] = (char) ('0' + record->shard / 10);
    digits[1] = (char) ('0' + record->shard % 10);

    lp_store_add(store, LP_WORDS(lp_span("HSET"), place, rest,
                                 ((lp_span_t) {digits, sizeof(digits)})));
}

int
lp_place_read(const redisReply *hget)
{
    lp_span_t text = lp_store_text(hget);
    int       shard;

    if (text.len != 2 || text.data[0] < '0' || text.data[0] > '9'
        || text.data[1] < '0' || text.data[1] > '9') {
        return -1;
    }

    shard = (text.data[0] - '0') * 10 + text.data[1] - '0';

    return shard < LP_SHARDS ? shard : -1;
}

lp_store_status_t
lp_record_find(lp_store_t *store, lp_record_t *record,
               const char *entitlement)
{
    char              name[LP_KEY_MAX];
    lp_span_t         rest = {entitlement + PLACE_LEN,
                              LP_ENTITLEMENT_LEN - PLACE_LEN};
    const redisReply *reply;
    int               shard;

    memset(record, 0, sizeof(*record));

    reply = lp_store_ask(store, LP_WORDS(lp_span("HGET"),
                                         ((lp_span_t) {name,
                                             lp_key_place(name, entitlement)}),
                                         rest));
    if (reply == NULL) {
        return lp_store_status(store);
    }
    if (reply->type == REDIS_REPLY_NIL) {
        return LP_STORE_OK;
    }

    shard = lp_place_read(reply);
    if (shard < 0) {
        return LP_STORE_REFUSED;
    }

    reply = lp_store_ask(store, LP_WORDS(lp_span("HGETALL"),
                                         ((lp_span_t) {name,
                                             lp_key_entitlement(name,
                                                 (unsigned) shard,
                                                 entitlement)})));
    if (reply == NULL) {
        return lp_store_status(store);
    }

    return lp_record_read(record, entitlement, (unsigned) shard, reply) == 0
               ? LP_STORE_OK : LP_STORE_REFUSED;
}

/* Writes "<type>:{NN}:<rest>"; 0: it would not fit. */
static size_t
key(char *dst, char type, unsigned shard, lp_span_t rest)
{
    size_t len;

    len = lp_key_school_in(dst, shard, rest);
    if (len > 0) {
        dst[0] = type;
    }

    return len;
}
