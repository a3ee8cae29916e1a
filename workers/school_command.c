/*
 * leerpoort school show|set|drop: the aliases of schools. A token names a
 * school by an id of some type; the alias says which master identifier it
 * means, and without one the pupil has no school.
 */

#include <stdio.h>

#include <jansson.h>

#include "../core/keys.h"
#include "../core/token.h"
#include "commands.h"
#include "redis_link.h"
#include "say.h"

typedef struct {
    lp_redis_t redis;
    char       name[LP_KEY_MAX];
    lp_span_t  key;
} alias_t;

static const char *const types[] = {"OIE_CODE", "BP_ID", "DD_ID", "AS_ID",
                                    "V_ID"};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

static int
type_known(const char *type)
{
    unsigned i;

    for (i = 0; i < N_TYPES; i++) {
        if (strcmp(types[i], type) == 0) {
            return 1;
        }
    }
    return 0;
}

/* As lp_token_check() takes them: no control bytes, not too long. */
static int
id_usable(lp_span_t id)
{
    size_t i;

    for (i = 0; i < id.len; i++) {
        if ((unsigned char) id.data[i] < 0x20 || id.data[i] == 0x7f) {
            return 0;
        }
    }
    return id.len > 0 && id.len <= LP_SCHOOL_ID_MAX;
}

static int
open_alias(alias_t *alias, const lp_args_t *args)
{
    const char *type = args->value[LP_OPT_ALIAS_TYPE];
    lp_span_t   id = lp_span_of(args->value[LP_OPT_ALIAS_ID]);

    alias->redis.context = NULL;
    if (!type_known(type)) {
        return lp_args_refuse(args, "--type is OIE_CODE, BP_ID, DD_ID, AS_ID "
                                    "or V_ID; a master identifier needs no "
                                    "alias");
    }
    if (!id_usable(id)) {
        return lp_args_refuse(args, "--id is 1 to %d bytes without control "
                                    "characters", LP_SCHOOL_ID_MAX);
    }
    alias->key.data = alias->name;
    alias->key.len = lp_key_alias(alias->name, lp_span_of(type), id);
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

int
lp_command_school_set(const lp_args_t *args)
{
    lp_span_t school = lp_span_of(args->value[LP_OPT_ALIAS_SCHOOL]);
    alias_t   alias;
    int       rc;

    if (!lp_school_valid(school)) {
        return lp_args_refuse(args, "--school is 1 to 64 of A-Z a-z 0-9 _ . "
                                    "-");
    }
    rc = open_alias(&alias, args);
    if (rc == LP_YES) {
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
