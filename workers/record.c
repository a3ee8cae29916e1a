/*
 * Records to and from Redis. One table says which field of the hash is which
 * member, so that what is written is what is read. A member that is empty has
 * no field: 48 million records pay for every byte.
 *
 * Records are changed under WATCH. What is written is therefore the difference
 * to what was read, and the log of Redis stays as short as the change.
 */

#include "record.h"

#include <stddef.h>

#include "../core/base64url.h"
#include "../core/day.h"

#define ID_BYTES   16
#define NUMBER_MAX 21 /* room for the digits of a 64-bit number, and one */
#define DIGITS_READ 19 /* that can't overflow */
#define REF_MAX    40 /* bytes of "<unix> <status>" */
#define REF_NAME   (1 + LP_ENTITLEMENT_LEN)

typedef enum {
    TEXT,
    TYPE,
    STATUS,
    DAY,
    TIME,
    COUNT,
    ID,   /* a has_ flag stands right before it */
    USER
} kind_t;

typedef struct {
    const char *name;
    kind_t      kind;
    size_t      at;    /* of the member */
    size_t      has;   /* of an ID's flag; the index of a USER */
    int         total; /* counted by the tally alone */
} member_t;

#define AT(member) offsetof(lp_record_t, member)

/* The users stand in order: one that follows a gap is not read. */
static const member_t members[] = {
    {"party", TEXT, AT(party), 0, 0},
    {"product", TEXT, AT(product), 0, 0},
    {"type", TYPE, AT(type), 0, 0},
    {"status", STATUS, AT(status), 0, 0},
    {"order", TEXT, AT(order), 0, 0},
    {"contract", TEXT, AT(contract), 0, 0},
    {"school", TEXT, AT(school), 0, 0},
    {"user", USER, 0, 0, 0},
    {"user2", USER, 0, 1, 0},
    {"user3", USER, 0, 2, 0},
    {"from", DAY, AT(from), 0, 0},
    {"until", DAY, AT(until), 0, 0},
    {"minimum", DAY, AT(minimum), 0, 0},
    {"created", TIME, AT(created), 0, 0},
    {"licensed", DAY, AT(licensed), 0, 0},
    {"expires", DAY, AT(expires), 0, 0},
    {"first", DAY, AT(first), 0, 1},
    {"last", DAY, AT(last), 0, 1},
    {"count", COUNT, AT(count), 0, 1},
    {"open", ID, AT(open), AT(has_open), 0},
    {"next", ID, AT(next), AT(has_next), 0},
    {"quantity", COUNT, AT(quantity), 0, 0},
    {"used", COUNT, AT(used), 0, 0},
};

#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

/* Words of a HSET or HDEL: command, key, members, references. */
#define WORDS_MAX (2 + 2 * (N_MEMBERS + 2 * LP_RECORD_REFS))

typedef struct {
    lp_span_t list[WORDS_MAX];
    unsigned  n;
} row_t;

static int read_field(lp_record_t *record, lp_span_t name, lp_span_t value);
static int read_member(lp_record_t *record, const member_t *member,
                       lp_span_t value);
static int read_user(lp_record_t *record, size_t i, lp_span_t value);
static int read_id(char *dst, lp_span_t value);
static int read_ref(lp_record_t *record, lp_span_t name, lp_span_t value);
static int read_day(uint32_t *day, lp_span_t text);
static int read_number(uint64_t *number, lp_span_t text);
static int whole(const lp_record_t *record);
static void compare_members(row_t *set, row_t *del, const lp_record_t *record,
                            const lp_record_t *before,
                            char texts[][NUMBER_MAX]);
static void compare_refs(row_t *set, row_t *del, const lp_record_t *record,
                         const lp_record_t *before,
                         char names[][REF_NAME], char texts[][REF_MAX]);
static lp_span_t member_text(const lp_record_t *record,
                             const member_t *member, char *digits);
static lp_span_t number_text(char *digits, uint64_t number);
static lp_span_t ref_text(char *dst, const lp_ref_t *ref);
static void push(lp_store_t *store, const lp_record_t *record);

int
lp_record_read(lp_record_t *record, const char *entitlement, unsigned shard,
               const redisReply *reply)
{
    lp_span_t name, value;
    size_t    i;

    memset(record, 0, sizeof(*record));
    memcpy(record->entitlement, entitlement, LP_ENTITLEMENT_LEN);
    record->shard = shard;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements % 2 != 0) {
        return -1;
    }

    if (reply->elements == 0) {
        return 0;
    }

    for (i = 0; i < reply->elements; i += 2) {
        name = lp_store_text(reply->element[i]);
        value = lp_store_text(reply->element[i + 1]);

        if (name.data == NULL || value.data == NULL
            || read_field(record, name, value) != 0) {
            return -1;
        }
    }

    record->exists = 1;

    return whole(record) ? 0 : -1;
}

void
lp_record_write(lp_store_t *store, const lp_record_t *record,
                const lp_record_t *before)
{
    static const lp_record_t none;
    char  name[LP_KEY_MAX], digits[N_MEMBERS][NUMBER_MAX];
    char  refs[2 * LP_RECORD_REFS][REF_NAME], texts[LP_RECORD_REFS][REF_MAX];
    row_t set, del;

    if (!before->exists) {
        before = &none;
    }

    set.list[0] = lp_span("HSET");
    set.list[1] = (lp_span_t) {name,
                               lp_key_entitlement(name, record->shard,
                                                  record->entitlement)};
    set.n = 2;
    del.list[0] = lp_span("HDEL");
    del.list[1] = set.list[1];
    del.n = 2;

    compare_members(&set, &del, record, before, digits);
    compare_refs(&set, &del, record, before, refs, texts);

    if (set.n > 2) {
        lp_store_add(store, (lp_words_t) {set.list, set.n});
    }
    if (del.n > 2) {
        lp_store_add(store, (lp_words_t) {del.list, del.n});
    }
    if (!before->exists) {
        push(store, record);
    }
}

/* Fields of another name are a later version's, and are left alone. */
static int
read_field(lp_record_t *record, lp_span_t name, lp_span_t value)
{
    unsigned i;

    if (name.len == REF_NAME && name.data[0] == '#') {
        return read_ref(record, name, value);
    }

    for (i = 0; i < N_MEMBERS; i++) {
        if (lp_span_equal(name, lp_span_of(members[i].name))) {
            return read_member(record, &members[i], value);
        }
    }

    return 0;
}

static int
read_member(lp_record_t *record, const member_t *member, lp_span_t value)
{
    char    *at = (char *) record + member->at;
    uint64_t number;
    int      one = 1;

    switch (member->kind) {
    case TEXT:
        return lp_field_set((lp_value_t *) (void *) at, value);
    case TYPE:
        record->type = lp_type_find(value);
        return record->type == LP_TYPE_NONE ? -1 : 0;
    case STATUS:
        record->status = lp_status_find(value);
        return record->status == LP_STATUS_NONE ? -1 : 0;
    case DAY:
        return read_day((uint32_t *) (void *) at, value);
    case TIME:
    case COUNT:
        if (read_number(&number, value) != 0 || number > INT64_MAX) {
            return -1;
        }
        memcpy(at, &number, sizeof(number));
        return 0;
    case ID:
        memcpy((char *) record + member->has, &one, sizeof(one));
        return read_id(at, value);
    default:
        return read_user(record, member->has, value);
    }
}

/* Fields come in any order: n_users is what is needed to hold this one. */
static int
read_user(lp_record_t *record, size_t i, lp_span_t value)
{
    if (record->n_users <= i) {
        record->n_users = (unsigned) i + 1;
    }

    return read_id(record->users[i], value);
}

/* 16 bytes in base64url: an entitlement or a user key. */
static int
read_id(char *dst, lp_span_t value)
{
    unsigned char bytes[ID_BYTES];
    size_t        len;

    if (value.len != LP_ENTITLEMENT_LEN
        || lp_base64url_decode(bytes, sizeof(bytes), &len, value) != 0) {
        return -1;
    }

    memcpy(dst, value.data, value.len);

    return 0;
}

/* "#<id>" -> "<unix> <status>"; of too many the newest stay. */
static int
read_ref(lp_record_t *record, lp_span_t name, lp_span_t value)
{
    const char *space;
    uint64_t    at;
    lp_status_t status;
    lp_ref_t   *place;
    unsigned    i;

    space = memchr(value.data, ' ', value.len);
    if (space == NULL
        || read_number(&at, (lp_span_t) {value.data,
                                         (size_t) (space - value.data)}) != 0
        || at == 0 || at > INT64_MAX) {
        return -1;
    }

    status = lp_status_find((lp_span_t) {space + 1, value.len - 1
                                         - (size_t) (space - value.data)});
    if (status == LP_STATUS_NONE) {
        return -1;
    }

    place = &record->refs[0];
    for (i = 1; i < LP_RECORD_REFS; i++) {
        if (record->refs[i].at < place->at) {
            place = &record->refs[i];
        }
    }

    if ((int64_t) at > place->at) {
        memcpy(place->id, name.data + 1, LP_ENTITLEMENT_LEN);
        place->at = (int64_t) at;
        place->status = status;
    }

    return 0;
}

static int
read_day(uint32_t *day, lp_span_t text)
{
    uint64_t number;

    if (text.len != 8 || read_number(&number, text) != 0
        || !lp_day_valid((uint32_t) number)) {
        return -1;
    }

    *day = (uint32_t) number;

    return 0;
}

static int
read_number(uint64_t *number, lp_span_t text)
{
    uint64_t n;
    size_t   i;

    if (text.len == 0 || text.len > DIGITS_READ) {
        return -1;
    }

    n = 0;
    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }

        n = n * 10 + (uint64_t) (text.data[i] - '0');
    }

    *number = n;

    return 0;
}

/* What every record has; no user is missing before another. */
static int
whole(const lp_record_t *record)
{
    unsigned i;

    for (i = 0; i < record->n_users; i++) {
        if (record->users[i][0] == '\0') {
            return 0;
        }
    }

    return record->product.len > 0 && record->type != LP_TYPE_NONE
           && record->status != LP_STATUS_NONE;
}

static void
compare_members(row_t *set, row_t *del, const lp_record_t *record,
                const lp_record_t *before, char texts[][NUMBER_MAX])
{
    char      digits[NUMBER_MAX];
    lp_span_t now, then, name;
    unsigned  i;

    for (i = 0; i < N_MEMBERS; i++) {
        if (members[i].total) {
            continue;
        }

        name = lp_span_of(members[i].name);
        now = member_text(record, &members[i], texts[i]);
        then = member_text(before, &members[i], digits);

        if (now.len == 0 && then.len > 0) {
            del->list[del->n++] = name;
        } else if (!lp_span_equal(now, then)) {
            set->list[set->n++] = name;
            set->list[set->n++] = now;
        }
    }
}

static void
compare_refs(row_t *set, row_t *del, const lp_record_t *record,
             const lp_record_t *before, char names[][REF_NAME],
             char texts[][REF_MAX])
{
    const lp_ref_t *ref, *old;
    unsigned        i;

    for (i = 0; i < LP_RECORD_REFS; i++) {
        ref = &record->refs[i];
        old = lp_record_ref(before, ref->id);
        names[i][0] = '#';
        memcpy(names[i] + 1, ref->id, LP_ENTITLEMENT_LEN);

        if (ref->at != 0
            && (old == NULL || old->at != ref->at
                || old->status != ref->status)) {
            set->list[set->n++] = (lp_span_t) {names[i], REF_NAME};
            set->list[set->n++] = ref_text(texts[i], ref);
        }
    }

    for (i = 0; i < LP_RECORD_REFS; i++) {
        old = &before->refs[i];
        names[LP_RECORD_REFS + i][0] = '#';
        memcpy(names[LP_RECORD_REFS + i] + 1, old->id, LP_ENTITLEMENT_LEN);

        if (old->at != 0 && lp_record_ref(record, old->id) == NULL) {
            del->list[del->n++] = (lp_span_t) {names[LP_RECORD_REFS + i],
                                               REF_NAME};
        }
    }
}

/* As it stands in Redis; len 0: the field is not there. */
static lp_span_t
member_text(const lp_record_t *record, const member_t *member, char *digits)
{
    const char *at = (const char *) record + member->at;
    uint64_t    number;
    uint32_t    day;
    int         has;

    switch (member->kind) {
    case TEXT:
        return lp_field((const lp_value_t *) (const void *) at);
    case TYPE:
        return lp_span_of(lp_type_name(record->type));
    case STATUS:
        return lp_span_of(lp_status_name(record->status));
    case DAY:
        memcpy(&day, at, sizeof(day));
        return number_text(digits, day);
    case TIME:
    case COUNT:
        memcpy(&number, at, sizeof(number));
        return number_text(digits, number);
    case ID:
        memcpy(&has, (const char *) record + member->has, sizeof(has));
        return (lp_span_t) {at, has ? LP_ENTITLEMENT_LEN : 0};
    default:
        return (lp_span_t) {record->users[member->has],
                            member->has < record->n_users ? LP_USER_KEY_LEN
                                                          : 0};
    }
}

/* Right-aligned, the first byte unused; 0 is no text. */
static lp_span_t
number_text(char *digits, uint64_t number)
{
    size_t at = NUMBER_MAX - 1;

    while (number > 0) {
        digits[at--] = (char) ('0' + number % 10);
        number /= 10;
    }

    return (lp_span_t) {&digits[at + 1], NUMBER_MAX - 1 - at};
}

static lp_span_t
ref_text(char *dst, const lp_ref_t *ref)
{
    char      digits[NUMBER_MAX];
    lp_span_t at = number_text(digits, (uint64_t) ref->at);
    lp_span_t status = lp_span_of(lp_status_name(ref->status));

    memcpy(dst, at.data, at.len);
    dst[at.len] = ' ';
    memcpy(dst + at.len + 1, status.data, status.len);

    return (lp_span_t) {dst, at.len + 1 + status.len};
}

/* To the list of its school or private customer; a code has neither. */
static void
push(lp_store_t *store, const lp_record_t *record)
{
    char      name[LP_KEY_MAX];
    lp_span_t user = {record->users[0],
                      record->n_users > 0 ? LP_USER_KEY_LEN : 0};
    lp_span_t id = {record->entitlement, LP_ENTITLEMENT_LEN};
    size_t    len;

    if (record->school.len == 0 && user.len == 0) {
        return;
    }

    len = lp_key_held(name, lp_field(&record->school), user);
    lp_store_add(store, LP_WORDS(lp_span("RPUSH"),
                                 ((lp_span_t) {name, len}), id));
}
