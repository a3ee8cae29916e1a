/*
 * leerpoort product show|set|drop: the catalogue, one product at a time. What
 * the edge would refuse to redirect to is refused here, before it is stored.
 */

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "../core/keys.h"
#include "commands.h"
#include "product_field.h"
#include "products.h"
#include "redis_link.h"
#include "say.h"

/* a command, the key, all the fields */
#define SET_WORDS (2 + 2 * LP_PRODUCT_FIELDS)

typedef struct {
    lp_redis_t redis;
    lp_span_t  id;
    char       name[LP_KEY_MAX];
    lp_span_t  key;
} entry_t;

/* The options that set lp_product_fields. */
static const lp_opt_t options[LP_PRODUCT_FIELDS] = {
    LP_OPT_NAME, LP_OPT_URL, LP_OPT_DEEP,
    LP_OPT_FREE, LP_OPT_IN,  LP_OPT_LICENCE, LP_OPT_TICKET,
};

static int
open_entry(entry_t *entry, const lp_args_t *args)
{
    lp_span_t id = lp_span_of(args->operand);

    entry->redis.context = NULL;
    if (!lp_product_valid(id)) {
        return lp_args_refuse(args, "a product's id is 1 to 64 of A-Z a-z 0-9 "
                                    ". _ -, a letter or digit first");
    }
    entry->id = id;
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

static json_t *
chapter_json(lp_span_t id, lp_span_t line)
{
    lp_span_t path, title;

    if (lp_chapter_read(id, line, &path, &title) != 0) {
        return json_pack("{s:b}", "unreadable", 1);
    }
    return json_pack("{s:s%, s:s%}", "path", path.data, path.len, "title",
                     title.data, title.len);
}

/* A line for each, as `product chapters` takes them. */
static void
print_chapters(json_t *product, const redisReply *reply, lp_span_t id,
               int as_json)
{
    json_t   *list, *text;
    lp_span_t line;
    size_t    i;

    if (reply->elements == 0) {
        return;
    }
    list = json_array();
    for (i = 0; i < reply->elements; i++) {
        line = lp_redis_text(reply->element[i]);
        json_array_append_new(list, chapter_json(id, line));
        if (!as_json) {
            text = json_stringn(line.data, line.len);
            printf("%-8s ", "chapter");
            print_json(text, JSON_ENCODE_ANY);
            json_decref(text);
        }
    }
    json_object_set_new(product, "chapters", list);
}

/* Fields in the order of the table; others are the workers' own. */
static void
print_product(const redisReply *reply, const redisReply *chapters,
              const char *id, int as_json)
{
    json_t   *product = json_pack("{s:s}", "product", id), *text;
    lp_span_t value;
    size_t    i;

    for (i = 0; i < LP_PRODUCT_FIELDS; i++) {
        value = lp_redis_text(find_value(reply, lp_product_fields[i]));
        if (value.data == NULL) {
            continue;
        }
        text = json_stringn(value.data, value.len);
        if (!as_json) {
            printf("%-8s ", lp_product_fields[i]);
            print_json(text, JSON_ENCODE_ANY);
        }
        json_object_set_new(product, lp_product_fields[i], text);
    }
    print_chapters(product, chapters, lp_span_of(id), as_json);
    if (as_json) {
        print_json(product, JSON_INDENT(2));
    }
    json_decref(product);
}

static int
show_product(entry_t *entry, const lp_args_t *args)
{
    redisReply *reply, *chapters;
    char        name[LP_KEY_MAX];
    lp_span_t   key = {name, lp_key_chapters(name, entry->id)};
    int         rc = LP_NO;

    reply = lp_redis_ask(&entry->redis,
                         LP_WORDS(lp_span("HGETALL"), entry->key),
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return LP_NO;
    }
    if (reply->elements == 0) {
        lp_say("there is no product %s", args->operand);
        freeReplyObject(reply);
        return LP_NO;
    }
    chapters = lp_redis_ask(&entry->redis,
                            LP_WORDS(lp_span("LRANGE"), key, lp_span("0"),
                                     lp_span("-1")),
                            LP_REPLY_ARRAY);
    if (chapters != NULL) {
        print_product(reply, chapters, args->operand,
                      args->value[LP_OPT_JSON] != NULL);
        rc = LP_YES;
    }
    freeReplyObject(chapters);
    freeReplyObject(reply);
    return rc;
}

int
lp_command_product_show(const lp_args_t *args)
{
    entry_t entry;
    int     rc;

    memset(&entry, 0, sizeof(entry));
    rc = open_entry(&entry, args);
    if (rc == LP_YES) {
        rc = show_product(&entry, args);
    }
    lp_redis_close(&entry.redis);
    return rc;
}

/* set */

/* A link's fault is said as it is, others with where to look. */
static int
refuse_field(const lp_args_t *args, const char *field, const char *wrong)
{
    if (strcmp(field, "url") == 0 || strcmp(field, "deep") == 0) {
        lp_say("--%s: %s", field, wrong);
        return LP_USAGE;
    }
    return lp_args_refuse(args, "--%s %s", field, wrong);
}

static int
check_fields(const lp_args_t *args)
{
    const char *value, *wrong;
    unsigned    i, given = 0;

    for (i = 0; i < LP_PRODUCT_FIELDS; i++) {
        value = args->value[options[i]];
        if (value == NULL) {
            continue;
        }
        given++;
        if (value[0] == '\0') {
            continue;
        }
        wrong = lp_product_field_wrong(lp_product_fields[i],
                                       lp_span_of(value));
        if (wrong != NULL) {
            return refuse_field(args, lp_product_fields[i], wrong);
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
    for (i = 0; i < LP_PRODUCT_FIELDS; i++) {
        value = args->value[options[i]];
        if (value == NULL || (value[0] == '\0') != removing) {
            continue;
        }
        words[n++] = lp_span_of(lp_product_fields[i]);
        if (!removing) {
            words[n++] = lp_span_of(value);
        }
    }
    if (n == 2) {
        return LP_YES;
    }
    return lp_redis_tell(&entry->redis, (lp_words_t) {words, n});
}

/* As lp_products_send_t. */
static int
send_words(void *to, lp_words_t words)
{
    return lp_redis_tell(to, words) == LP_YES ? 0 : -1;
}

/* What people and sets find it by. */
static int
send_note(entry_t *entry, const lp_args_t *args)
{
    const char *name = args->value[LP_OPT_NAME], *in = args->value[LP_OPT_IN];

    return lp_products_note(send_words, &entry->redis, entry->id,
                            name == NULL ? (lp_span_t) {NULL, 0}
                                         : lp_span_of(name),
                            lp_span_of(in == NULL ? "" : in)) == 0
               ? LP_YES : LP_NO;
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
        || send_fields(entry, args, 1) != LP_YES
        || send_note(entry, args) != LP_YES) {
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

/* The first reply of the transaction says whether there was one. */
static int
drop_product(entry_t *entry)
{
    redisReply *reply;
    int         rc;

    if (lp_redis_tell(&entry->redis, LP_WORDS(lp_span("MULTI"))) != LP_YES
        || lp_redis_tell(&entry->redis,
                         LP_WORDS(lp_span("DEL"), entry->key)) != LP_YES
        || lp_products_forget(send_words, &entry->redis, entry->id) != 0) {
        return LP_NO;
    }
    reply = lp_redis_ask(&entry->redis, LP_WORDS(lp_span("EXEC")),
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return LP_NO;
    }
    rc = reply->elements > 0
                 && reply->element[0]->type == REDIS_REPLY_INTEGER
                 && reply->element[0]->integer == 1
             ? LP_YES : LP_NO;
    if (rc != LP_YES) {
        lp_say("there is no product %.*s", (int) entry->id.len,
               entry->id.data);
    }
    freeReplyObject(reply);
    return rc;
}

int
lp_command_product_drop(const lp_args_t *args)
{
    entry_t entry;
    int     rc;

    rc = open_entry(&entry, args);
    if (rc == LP_YES) {
        rc = drop_product(&entry);
    }
    lp_redis_close(&entry.redis);
    return rc;
}
