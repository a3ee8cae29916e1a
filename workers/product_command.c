/*
 * leerpoort product show|set|drop: the catalogue, one product at a time. What
 * the edge would refuse to redirect to is refused here, before it is stored.
 */

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "../core/day.h"
#include "../core/keys.h"
#include "../core/product.h"
#include "commands.h"
#include "redis_link.h"
#include "say.h"

#define NAME_LEN_MAX 200 /* bytes */
#define DATE_PREFIX  "date:"
#define SET_WORDS    (2 + 2 * 6) /* a command, the key, all the fields */

typedef struct {
    lp_redis_t redis;
    char       name[LP_KEY_MAX];
    lp_span_t  key;
} entry_t;

typedef struct {
    const char *name; /* of the hash field, and of the option */
    lp_opt_t    option;
    int (*check)(const lp_args_t *args, lp_span_t value);
} field_t;

static int check_url(const lp_args_t *args, lp_span_t value);
static int check_deep(const lp_args_t *args, lp_span_t value);
static int check_free(const lp_args_t *args, lp_span_t value);
static int check_sets(const lp_args_t *args, lp_span_t value);
static int check_name(const lp_args_t *args, lp_span_t value);
static int check_licence(const lp_args_t *args, lp_span_t value);

static const field_t fields[] = {
    {"name", LP_OPT_NAME, check_name},
    {"url", LP_OPT_URL, check_url},
    {"deep", LP_OPT_DEEP, check_deep},
    {"free", LP_OPT_FREE, check_free},
    {"in", LP_OPT_IN, check_sets},
    {"licence", LP_OPT_LICENCE, check_licence},
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static int
check_target(lp_span_t value, int deep)
{
    lp_hosts_t  any = {NULL, 0};
    lp_target_t target = lp_target_check(value, deep, &any);

    if (target != LP_TARGET_OK) {
        lp_say("%s: %s", deep ? "--deep" : "--url", lp_target_text(target));
        return LP_USAGE;
    }
    return LP_YES;
}

static int
check_url(const lp_args_t *args, lp_span_t value)
{
    (void) args;
    return check_target(value, 0);
}

static int
check_deep(const lp_args_t *args, lp_span_t value)
{
    (void) args;
    return check_target(value, 1);
}

static int
check_free(const lp_args_t *args, lp_span_t value)
{
    if (value.len != 1 || (value.data[0] != '0' && value.data[0] != '1')) {
        return lp_args_refuse(args, "--free is 0 or 1");
    }
    return LP_YES;
}

static int
check_sets(const lp_args_t *args, lp_span_t value)
{
    const char *comma;
    lp_span_t   set;
    unsigned    n = 0;

    while (value.data != NULL) {
        comma = memchr(value.data, ',', value.len);
        set.data = value.data;
        set.len = comma == NULL ? value.len : (size_t) (comma - value.data);
        value.len -= comma == NULL ? value.len : set.len + 1;
        value.data = comma == NULL ? NULL : comma + 1;
        if (!lp_product_valid(set) || ++n > LP_SETS_MAX) {
            return lp_args_refuse(args, "--in takes up to %d product ids with "
                                        "commas between them", LP_SETS_MAX);
        }
    }
    return LP_YES;
}

static int
check_name(const lp_args_t *args, lp_span_t value)
{
    json_t *text = json_stringn(value.data, value.len); /* NULL: not UTF-8 */
    size_t  i;
    int     ok = text != NULL && value.len <= NAME_LEN_MAX;

    json_decref(text);
    for (i = 0; ok && i < value.len; i++) {
        ok = (unsigned char) value.data[i] >= 0x20 && value.data[i] != 0x7f;
    }
    if (!ok) {
        return lp_args_refuse(args, "--name is text in UTF-8 of at most %d "
                                    "bytes on one line", NAME_LEN_MAX);
    }
    return LP_YES;
}

static int
is_date(lp_span_t value)
{
    size_t   prefix = strlen(DATE_PREFIX), i;
    uint32_t day = 0;

    if (value.len != prefix + 8
        || memcmp(value.data, DATE_PREFIX, prefix) != 0) {
        return 0;
    }
    for (i = prefix; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return 0;
        }
        day = day * 10 + (uint32_t) (value.data[i] - '0');
    }
    return lp_day_valid(day);
}

static int
check_licence(const lp_args_t *args, lp_span_t value)
{
    if (lp_span_equal(value, lp_span("schoolyear"))
        || lp_span_equal(value, lp_span("month"))
        || lp_span_equal(value, lp_span("quarter"))
        || lp_span_equal(value, lp_span("year")) || is_date(value)) {
        return LP_YES;
    }
    return lp_args_refuse(args, "--licence is schoolyear, month, quarter, "
                                "year or date:YYYYMMDD");
}

static int
open_entry(entry_t *entry, const lp_args_t *args)
{
    lp_span_t id = lp_span_of(args->operand);

    entry->redis.context = NULL;
    if (!lp_product_valid(id)) {
        return lp_args_refuse(args, "a product's id is 1 to 64 of A-Z a-z 0-9 "
                                    ". _ -, a letter or digit first");
    }
    entry->key.data = entry->name;
    entry->key.len = lp_key_product(entry->name, id);
    return lp_redis_open(&entry->redis, args);
}

/* show */

static const redisReply *
find_value(const redisReply *reply, const char *name)
{
    size_t i;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        if (lp_span_equal(lp_redis_text(reply->element[i]),
                          lp_span_of(name))) {
            return reply->element[i + 1];
        }
    }
    return NULL;
}

/*
 * People's text as UTF-8. What a terminal would obey stays escaped, as JSON has
 * it: jansson does that below U+0020; DEL and U+0080 to U+009F are done here.
 */
static void
print_json(const json_t *value, size_t flags)
{
    char                *text = json_dumps(value, flags);
    const unsigned char *p = (const unsigned char *) text;

    for (; p != NULL && *p != '\0'; p++) {
        if (*p == 0x7f) {
            fputs("\\u007F", stdout);
        } else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
            printf("\\u%04X", *++p);
        } else {
            putchar(*p);
        }
    }
    fputs(text == NULL ? "unreadable\n" : "\n", stdout);
    free(text);
}

/* Fields in the order of the table; others are the workers' own. */
static void
print_product(const redisReply *reply, const char *id, int as_json)
{
    json_t   *product = json_pack("{s:s}", "product", id), *text;
    lp_span_t value;
    size_t    i;

    for (i = 0; i < N_FIELDS; i++) {
        value = lp_redis_text(find_value(reply, fields[i].name));
        if (value.data == NULL) {
            continue;
        }
        text = json_stringn(value.data, value.len);
        if (!as_json) {
            printf("%-8s ", fields[i].name);
            print_json(text, JSON_ENCODE_ANY);
        }
        json_object_set_new(product, fields[i].name, text);
    }
    if (as_json) {
        print_json(product, JSON_INDENT(2));
    }
    json_decref(product);
}

static int
show_product(entry_t *entry, const lp_args_t *args)
{
    redisReply *reply;
    int         rc = LP_YES;

    reply = lp_redis_ask(&entry->redis,
                         LP_WORDS(lp_span("HGETALL"), entry->key),
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return LP_NO;
    }
    if (reply->elements == 0) {
        lp_say("there is no product %s", args->operand);
        rc = LP_NO;
    } else {
        print_product(reply, args->operand, args->value[LP_OPT_JSON] != NULL);
    }
    freeReplyObject(reply);
    return rc;
}

int
lp_command_product_show(const lp_args_t *args)
{
    entry_t entry;
    int     rc;

    rc = open_entry(&entry, args);
    if (rc == LP_YES) {
        rc = show_product(&entry, args);
    }
    lp_redis_close(&entry.redis);
    return rc;
}

/* set */

static int
check_fields(const lp_args_t *args)
{
    const char *value;
    unsigned    i, given = 0;
    int         rc;

    for (i = 0; i < N_FIELDS; i++) {
        value = args->value[fields[i].option];
        if (value == NULL) {
            continue;
        }
        given++;
        rc = value[0] == '\0' ? LP_YES
                              : fields[i].check(args, lp_span_of(value));
        if (rc != LP_YES) {
            return rc;
        }
    }
    if (given == 0) {
        return lp_args_refuse(args, "there is nothing to set");
    }
    return LP_YES;
}

/* HSET key field value ..., or HDEL key field ... for the empty ones. */
static int
send_fields(entry_t *entry, const lp_args_t *args, int removing)
{
    lp_span_t   words[SET_WORDS];
    const char *value;
    unsigned    i, n = 2;

    words[0] = removing ? lp_span("HDEL") : lp_span("HSET");
    words[1] = entry->key;
    for (i = 0; i < N_FIELDS; i++) {
        value = args->value[fields[i].option];
        if (value == NULL || (value[0] == '\0') != removing) {
            continue;
        }
        words[n++] = lp_span_of(fields[i].name);
        if (!removing) {
            words[n++] = lp_span_of(value);
        }
    }
    if (n == 2) {
        return LP_YES;
    }
    return lp_redis_tell(&entry->redis, (lp_words_t) {words, n});
}

/* One transaction: no click sees a new url beside an old deep. */
static int
store_fields(entry_t *entry, const lp_args_t *args)
{
    redisReply *reply;
    size_t      i;
    int         rc = LP_YES;

    if (lp_redis_tell(&entry->redis, LP_WORDS(lp_span("MULTI"))) != LP_YES
        || send_fields(entry, args, 0) != LP_YES
        || send_fields(entry, args, 1) != LP_YES) {
        return LP_NO;
    }
    reply = lp_redis_ask(&entry->redis, LP_WORDS(lp_span("EXEC")),
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return LP_NO;
    }
    for (i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_INTEGER) {
            rc = LP_NO;
        }
    }
    if (rc != LP_YES) {
        lp_say("Redis did not store the product: the key holds another type");
    }
    freeReplyObject(reply);
    return rc;
}

int
lp_command_product_set(const lp_args_t *args)
{
    entry_t entry;
    int     rc;

    rc = check_fields(args);
    if (rc != LP_YES) {
        return rc;
    }
    rc = open_entry(&entry, args);
    if (rc == LP_YES) {
        rc = store_fields(&entry, args);
    }
    lp_redis_close(&entry.redis);
    return rc;
}

/* drop */

int
lp_command_product_drop(const lp_args_t *args)
{
    redisReply *reply;
    entry_t     entry;
    int         rc;

    rc = open_entry(&entry, args);
    if (rc == LP_YES) {
        reply = lp_redis_ask(&entry.redis,
                             LP_WORDS(lp_span("DEL"), entry.key),
                             LP_REPLY_INTEGER);
        rc = reply != NULL && reply->integer == 1 ? LP_YES : LP_NO;
        if (reply != NULL && rc != LP_YES) {
            lp_say("there is no product %s", args->operand);
        }
        freeReplyObject(reply);
    }
    lp_redis_close(&entry.redis);
    return rc;
}
