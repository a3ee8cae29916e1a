/*
 * Reading and deleting are two steps: one of another browser is to stay for its
 * own.
 */

#include "begun.h"

#include <stdio.h>

#include "../core/chars.h"

#define TEXTS_MAX   8
#define COUNTER_MAX 64
#define MINUTE_LIFE "120" /* seconds that a minute's counter is kept */

lp_begun_t
lp_begun_count(lp_sso_t *sso, const char *counter)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[COUNTER_MAX];

    snprintf(name, sizeof(name), "%s:%lld", counter,
             (long long) (lp_service_now() / 60));
    key = lp_span_of(name);
    lp_store_add(sso->store, LP_WORDS(lp_span("INCR"), key));
    lp_store_add(sso->store,
                 LP_WORDS(lp_span("EXPIRE"), key, lp_span(MINUTE_LIFE)));
    if (lp_store_run(sso->store) != LP_STORE_OK) {
        return LP_BEGUN_FAILED;
    }
    reply = lp_store_reply(sso->store, 0);
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER
        || reply->integer < 0) {
        return LP_BEGUN_FAILED;
    }
    return reply->integer > lp_sites(sso->providers)->per_minute
               ? LP_BEGUN_TOO_MANY : LP_BEGUN_OK;
}

lp_begun_t
lp_begun_write(lp_sso_t *sso, lp_span_t key, const lp_begun_text_t *texts,
               unsigned n)
{
    lp_span_t words[2 + 2 * TEXTS_MAX];
    char      life[16];
    unsigned  i;

    words[0] = lp_span("HSET");
    words[1] = key;
    for (i = 0; i < n && i < TEXTS_MAX; i++) {
        words[2 + 2 * i] = lp_span_of(texts[i].name);
        words[3 + 2 * i] = lp_span_of(texts[i].text);
    }
    snprintf(life, sizeof(life), "%d", LP_BEGUN_LIFE);
    lp_store_begin(sso->store);
    lp_store_add(sso->store, (lp_words_t) {words, 2 + 2 * i});
    lp_store_add(sso->store,
                 LP_WORDS(lp_span("EXPIRE"), key, lp_span_of(life)));
    return lp_store_commit(sso->store) == LP_STORE_OK ? LP_BEGUN_OK
                                                      : LP_BEGUN_FAILED;
}

static int
read_text(const lp_begun_text_t *text, lp_span_t value)
{
    if (value.data == NULL || value.len >= text->size
        || (text->whole && value.len != text->size - 1)) {
        return -1;
    }
    memcpy(text->text, value.data, value.len);
    text->text[value.len] = '\0';
    return 0;
}

lp_begun_t
lp_begun_read(lp_sso_t *sso, lp_span_t key, const lp_begun_text_t *texts,
              unsigned n)
{
    const redisReply *reply;
    lp_span_t         words[2 + TEXTS_MAX];
    unsigned          i;

    words[0] = lp_span("HMGET");
    words[1] = key;
    for (i = 0; i < n && i < TEXTS_MAX; i++) {
        words[2 + i] = lp_span_of(texts[i].name);
    }
    reply = lp_store_ask(sso->store, (lp_words_t) {words, 2 + i});
    if (reply == NULL) {
        return LP_BEGUN_FAILED;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n) {
        return LP_BEGUN_UNKNOWN;
    }
    for (i = 0; i < n; i++) {
        if (read_text(&texts[i], lp_store_text(reply->element[i])) != 0) {
            return LP_BEGUN_UNKNOWN;
        }
    }
    return LP_BEGUN_OK;
}

lp_begun_t
lp_begun_take(lp_sso_t *sso, lp_span_t key)
{
    const redisReply *reply;

    reply = lp_store_ask(sso->store, LP_WORDS(lp_span("DEL"), key));
    if (reply == NULL) {
        return LP_BEGUN_FAILED;
    }
    return reply->type == REDIS_REPLY_INTEGER && reply->integer == 1
               ? LP_BEGUN_OK : LP_BEGUN_UNKNOWN;
}

lp_span_t
lp_begun_cookie(const lp_visit_t *visit, const char *name)
{
    lp_span_t value = lp_request_cookie(&visit->request, name,
                                        lp_sso_is_secure(visit->sso));
    size_t    i;

    for (i = 0; i < value.len; i++) {
        if (!lp_char_is((unsigned char) value.data[i], LP_CHAR_NAME)) {
            return lp_span("");
        }
    }
    return value.len == LP_RANDOM_LEN ? value : lp_span("");
}
