/*
 * leerpoort school show|set|drop: which schools are known, and their aliases. A
 * token names a school by an id of some type; the alias says which master
 * identifier it means, and without one the pupil has no school. Sellers'
 * entitlements are refused where their school is not known.
 */

#include <stdio.h>

#include <jansson.h>

#include "../core/keys.h"
#include "../core/token.h"
#include "commands.h"
#include "product_field.h"
#include "redis_link.h"
#include "say.h"
#include "school_type.h"
#include "usage_keys.h"

typedef struct {
    lp_redis_t redis;
    char       name[LP_KEY_MAX];
    lp_span_t  key;
} alias_t;

static int
open_alias(alias_t *alias, const lp_args_t *args)
{
    lp_span_t type = lp_span_of(args->value[LP_OPT_ALIAS_TYPE]);
    lp_span_t id = lp_span_of(args->value[LP_OPT_ALIAS_ID]);

    alias->redis.context = NULL;
    if (!lp_school_type(&type)) {
        return lp_args_refuse(args, "--type is OIE_CODE, BP_ID, DD_ID, AS_ID "
                                    "or V_ID; a master identifier needs no "
                                    "alias");
    }
    if (!lp_school_id_valid(id)) {
        return lp_args_refuse(args, "--id is 1 to %d bytes without control "
                                    "characters", LP_SCHOOL_ID_MAX);
    }
    alias->key.data = alias->name;
    alias->key.len = lp_key_alias(alias->name, type, id);
    return lp_redis_open(&alias->redis, args);
}

static int
show_school(const lp_args_t *args, const redisReply *reply)
{
    lp_span_t school = lp_redis_text(reply);
    json_t   *answer;

    if (school.data == NULL) {
        lp_say("this id means no school");
        return LP_NO;
    }
    if (!lp_school_valid(school)) {
        lp_say("what is stored is no master identifier; set it again");
        return LP_NO;
    }
    if (args->value[LP_OPT_JSON] == NULL) {
        printf("%.*s\n", (int) school.len, school.data);
        return LP_YES;
    }
    answer = json_pack("{s:s%}", "school", school.data, school.len);
    json_dumpf(answer, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(answer);
    return LP_YES;
}

int
lp_command_school_show(const lp_args_t *args)
{
    redisReply *reply;
    alias_t     alias;
    int         rc;

    rc = open_alias(&alias, args);
    if (rc == LP_YES) {
        reply = lp_redis_ask(&alias.redis,
                             LP_WORDS(lp_span("GET"), alias.key),
                             LP_REPLY_STRING | LP_REPLY_NIL);
        rc = reply == NULL ? LP_NO : show_school(args, reply);
        freeReplyObject(reply);
    }
    lp_redis_close(&alias.redis);
    return rc;
}

/* A school is known by having a name, if only an empty one. */
static int
store_school(lp_redis_t *redis, const lp_args_t *args, lp_span_t school)
{
    const char *name = args->value[LP_OPT_SCHOOL_NAME];
    char        text[LP_USAGE_KEY_MAX];
    lp_span_t   key = {text, lp_key_known_school(text, school)};

    return lp_redis_tell(redis,
                         LP_WORDS(name == NULL ? lp_span("HSETNX")
                                               : lp_span("HSET"),
                                  key, lp_span("name"),
                                  lp_span_of(name == NULL ? "" : name)));
}

static int
check_set(const lp_args_t *args)
{
    const char *name = args->value[LP_OPT_SCHOOL_NAME];

    if (!lp_school_valid(lp_span_of(args->value[LP_OPT_ALIAS_SCHOOL]))) {
        return lp_args_refuse(args, "--school is 1 to 64 of A-Z a-z 0-9 _ . "
                                    "-");
    }
    if (name != NULL && !lp_one_line(lp_span_of(name), LP_PRODUCT_NAME_MAX)) {
        return lp_args_refuse(args, "--name is text in UTF-8 of at most %d "
                                    "bytes on one line", LP_PRODUCT_NAME_MAX);
    }
    if ((args->value[LP_OPT_ALIAS_TYPE] == NULL)
        != (args->value[LP_OPT_ALIAS_ID] == NULL)) {
        return lp_args_refuse(args, "--type and --id go together");
    }
    return LP_YES;
}

/* The school first: an alias must not mean one that nobody knows. */
int
lp_command_school_set(const lp_args_t *args)
{
    lp_span_t school = lp_span_of(args->value[LP_OPT_ALIAS_SCHOOL]);
    int       with_alias = args->value[LP_OPT_ALIAS_ID] != NULL;
    alias_t   alias;
    int       rc;

    rc = check_set(args);
    if (rc != LP_YES) {
        return rc;
    }
    alias.redis.context = NULL;
    rc = with_alias ? open_alias(&alias, args)
                    : lp_redis_open(&alias.redis, args);
    if (rc == LP_YES) {
        rc = store_school(&alias.redis, args, school);
    }
    if (rc == LP_YES && with_alias) {
        rc = lp_redis_tell(&alias.redis,
                           LP_WORDS(lp_span("SET"), alias.key, school));
    }
    lp_redis_close(&alias.redis);
    return rc;
}

int
lp_command_school_drop(const lp_args_t *args)
{
    redisReply *reply;
    alias_t     alias;
    int         rc;

    rc = open_alias(&alias, args);
    if (rc == LP_YES) {
        reply = lp_redis_ask(&alias.redis,
                             LP_WORDS(lp_span("DEL"), alias.key),
                             LP_REPLY_INTEGER);
        rc = reply != NULL && reply->integer == 1 ? LP_YES : LP_NO;
        if (reply != NULL && rc != LP_YES) {
            lp_say("this id means no school");
        }
        freeReplyObject(reply);
    }
    lp_redis_close(&alias.redis);
    return rc;
}
