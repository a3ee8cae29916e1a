/*
 * A fetch is one or two exchanges: the metadata, where there are some, and then
 * the keys, from where the metadata or the configuration say. What fails leaves
 * the files as they are: old keys are right until a provider changes them,
 * no keys are never.
 *
 * Two cases in which a provider may be wrong, or somebody else speak for it:
 * - a set without a usable key is a failure, not a withdrawal of all keys: it
 *   is not written, and said. Who wants a provider gone takes it out of the
 *   configuration;
 * - metadata that move the keys to another host are believed, since TLS vouches
 *   for the issuer's own host, where they come from; but the operator is told.
 */

#include "fetcher.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../workers/say.h"
#include "fetch_check.h"

#define AT_ONCE   64 /* fetches under way */
#define DISCOVERY ".discovery.json"
#define KEYS      ".jwks.json"
#define HTTP_OK   200

static void on_metadata(void *owner, const lp_http_reply_t *reply);
static void on_keys(void *owner, const lp_http_reply_t *reply);
static void finish(lp_fetch_t *fetch, int64_t max_age);

int64_t
lp_fetcher_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t
any_number(void)
{
    uint32_t number = 0;

    (void) RAND_bytes((unsigned char *) &number, sizeof(number));
    return number;
}

/* What is said of a source goes by its first name. */
static const char *
name_of(const lp_fetch_t *fetch)
{
    return fetch->source.names[0];
}

/* Sources. */

static void
drop_fetch(lp_fetch_t *fetch)
{
    lp_source_free(&fetch->source);
    free(fetch->keys_from);
    free(fetch);
}

void
lp_fetcher_drop(lp_fetcher_t *fetcher)
{
    lp_fetch_t *fetch;

    while ((fetch = fetcher->first) != NULL) {
        fetcher->first = fetch->next;
        lp_http_forget(fetcher->http, fetch);
        drop_fetch(fetch);
    }
    fetcher->running = 0;
}

/* Where its keys came from before this process: to notice that they move. */
static void
remember_place(lp_fetch_t *fetch)
{
    char        jwks_uri[LP_FETCH_URL_MAX + 1], *old, *same;
    const char *why;

    if (fetch->source.discovery == NULL) {
        return;
    }
    old = lp_folder_get(fetch->fetcher->folder, name_of(fetch), DISCOVERY,
                        LP_DISCOVERY_MAX);
    if (old == NULL) {
        return;
    }
    same = lp_discovery_check(lp_span_of(old),
                              lp_span_of(fetch->source.issuer), jwks_uri,
                              &why);
    if (same != NULL && jwks_uri[0] != '\0') {
        fetch->keys_from = strdup(jwks_uri);
    }
    free(same);
    free(old);
}

static int
add_fetch(lp_fetcher_t *fetcher, const lp_source_t *source)
{
    lp_fetch_t *fetch = calloc(1, sizeof(*fetch));

    if (fetch == NULL || lp_source_copy(&fetch->source, source) != 0) {
        free(fetch);
        return -1;
    }
    fetch->fetcher = fetcher;
    fetch->listed = 1;
    lp_turn_init(&fetch->turn, lp_fetcher_clock());
    remember_place(fetch);
    fetch->next = fetcher->first;
    fetcher->first = fetch;
    return 0;
}

/* A source that has other names now has to write for them, too. */
static int
rename_fetch(lp_fetch_t *fetch, const lp_source_t *source)
{
    lp_source_t copy;
    unsigned    i;
    int         same = fetch->source.n_names == source->n_names;

    for (i = 0; same && i < source->n_names; i++) {
        same = strcmp(fetch->source.names[i], source->names[i]) == 0;
    }
    if (same) {
        return 0;
    }
    if (lp_source_copy(&copy, source) != 0) {
        return -1;
    }
    lp_source_free(&fetch->source);
    fetch->source = copy;
    lp_turn_hurry(&fetch->turn, lp_fetcher_clock());
    return 0;
}

static lp_fetch_t *
find_fetch(lp_fetcher_t *fetcher, const lp_source_t *source)
{
    lp_fetch_t *fetch;

    for (fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        if (lp_source_same(&fetch->source, source)) {
            return fetch;
        }
    }
    return NULL;
}

static void
drop_unlisted(lp_fetcher_t *fetcher)
{
    lp_fetch_t **link = &fetcher->first, *fetch;

    while ((fetch = *link) != NULL) {
        if (fetch->listed) {
            link = &fetch->next;
            continue;
        }
        *link = fetch->next;
        lp_http_forget(fetcher->http, fetch);
        fetcher->running -= fetch->turn.running ? 1 : 0;
        drop_fetch(fetch);
    }
}

int
lp_fetcher_take(lp_fetcher_t *fetcher, const lp_source_list_t *list)
{
    lp_fetch_t *fetch;
    unsigned    i;
    int         rc = 0;

    for (fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        fetch->listed = 0;
    }
    for (i = 0; i < list->n; i++) {
        fetch = find_fetch(fetcher, &list->list[i]);
        if (fetch == NULL) {
            rc |= add_fetch(fetcher, &list->list[i]);
        } else {
            fetch->listed = 1;
            rc |= rename_fetch(fetch, &list->list[i]);
        }
    }
    drop_unlisted(fetcher);
    fetcher->changed = 1;
    return rc == 0 ? 0 : -1;
}

/* Turns. */

void
lp_fetcher_ask(lp_fetcher_t *fetcher, lp_span_t issuer)
{
    lp_fetch_t *fetch;

    for (fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        if (lp_span_equal(lp_span_of(fetch->source.issuer), issuer)) {
            lp_turn_ask(&fetch->turn, &fetcher->schedule, lp_fetcher_clock());
        }
    }
}

void
lp_fetcher_hurry(lp_fetcher_t *fetcher)
{
    lp_fetch_t *fetch;

    for (fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        lp_turn_hurry(&fetch->turn, lp_fetcher_clock());
    }
}

int
lp_fetcher_done(const lp_fetcher_t *fetcher, int successes)
{
    const lp_fetch_t *fetch;

    for (fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        if ((successes ? fetch->succeeded : fetch->tried) == 0) {
            return 0;
        }
    }
    return 1;
}

/* The next one to begin: who waits longest. */
static lp_fetch_t *
next_fetch(const lp_fetcher_t *fetcher)
{
    lp_fetch_t *fetch, *best = NULL;

    for (fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        if (fetch->turn.running) {
            continue;
        }
        if (best == NULL || fetch->turn.due < best->turn.due) {
            best = fetch;
        }
    }
    return best;
}

/* -1: no memory. */
static int
get(lp_fetch_t *fetch, const char *url, size_t max, lp_http_done_t done)
{
    lp_http_request_t request = {.method = "GET", .url = url,
                                 .body_max = max};

    return lp_http_start(fetch->fetcher->http, &request, done, fetch);
}

/* The first thing that went wrong is what is told. */
static void __attribute__((format(printf, 2, 3)))
note(lp_fetch_t *fetch, const char *format, ...)
{
    va_list list;

    if (fetch->problem[0] == '\0') {
        va_start(list, format);
        vsnprintf(fetch->problem, sizeof(fetch->problem), format, list);
        va_end(list);
    }
}

static void
get_keys(lp_fetch_t *fetch)
{
    const char *from = fetch->source.jwks_uri != NULL ? fetch->source.jwks_uri
                                                      : fetch->keys_from;

    if (from == NULL) {
        note(fetch, "its metadata name no jwks_uri");
    } else if (get(fetch, from, LP_FETCH_KEYS_MAX, on_keys) == 0) {
        return;
    } else {
        note(fetch, "memory ran out");
    }
    finish(fetch, -1);
}

static void
begin(lp_fetch_t *fetch, int64_t now)
{
    lp_turn_begin(&fetch->turn, now);
    fetch->fetcher->running++;
    fetch->problem[0] = '\0';
    fetch->retry_after = 0;
    if (fetch->source.discovery == NULL) {
        get_keys(fetch);
    } else if (get(fetch, fetch->source.discovery, LP_DISCOVERY_MAX,
                   on_metadata) != 0) {
        note(fetch, "memory ran out");
        finish(fetch, -1);
    }
}

int
lp_fetcher_begin(lp_fetcher_t *fetcher, int most_ms)
{
    int64_t     now = lp_fetcher_clock(), wait;
    lp_fetch_t *fetch;

    while (fetcher->running < AT_ONCE) {
        fetch = next_fetch(fetcher);
        if (fetch == NULL) {
            return most_ms;
        }
        if (fetch->turn.due > now) {
            wait = fetch->turn.due - now;
            return wait < most_ms ? (int) wait : most_ms;
        }
        begin(fetch, now);
    }
    return most_ms;
}

/* Answers. */

/* Whether there is a document to be judged. */
static int
is_answer(lp_fetch_t *fetch, const lp_http_reply_t *reply, const char *what)
{
    if (reply->result != LP_HTTP_ANSWERED) {
        note(fetch, "%s: the host %s", what, lp_http_text(reply->result));
        return 0;
    }
    if (reply->status == HTTP_OK) {
        return 1;
    }
    fetch->retry_after = reply->retry_after;
    note(fetch, "%s: the host answered %d%s", what, reply->status,
         reply->status / 100 == 3 ? ", and redirects are not followed" : "");
    return 0;
}

/* Writes a file for each name of a source; 1 where one of them is new. */
static int
put_files(lp_fetch_t *fetch, const char *suffix, const char *text)
{
    unsigned i;
    int      rc, any = 0;

    for (i = 0; i < fetch->source.n_names; i++) {
        rc = lp_folder_put(fetch->fetcher->folder, fetch->source.names[i],
                           suffix, lp_span_of(text));
        if (rc == -1) {
            note(fetch, "%s%s can't be written: %s", fetch->source.names[i],
                 suffix, strerror(errno));
        }
        any |= rc == 1;
    }
    return any;
}

static lp_span_t
host_of(const char *url)
{
    const char *host = strstr(url, "://");

    host = host == NULL ? url : host + 3;
    return (lp_span_t) {host, strcspn(host, "/?#")};
}

/* Both are addresses that lp_discovery_check() took: plain ASCII. */
static void
tell_move(const lp_fetch_t *fetch, const char *to)
{
    lp_span_t was, is;

    if (fetch->keys_from == NULL || fetch->source.jwks_uri != NULL) {
        return;
    }
    was = host_of(fetch->keys_from);
    is = host_of(to);
    if (!lp_span_equal(was, is)) {
        lp_say("%s: its keys are at %.*s now, no longer at %.*s",
               name_of(fetch), (int) is.len, is.data, (int) was.len, was.data);
    }
}

static void
take_metadata(lp_fetch_t *fetch, lp_span_t body)
{
    char        jwks_uri[LP_FETCH_URL_MAX + 1], *copy, *text;
    const char *why;

    text = lp_discovery_check(body, lp_span_of(fetch->source.issuer), jwks_uri,
                              &why);
    if (text == NULL) {
        note(fetch, "metadata: %s", why);
        return;
    }
    put_files(fetch, DISCOVERY, text);
    free(text);
    if (jwks_uri[0] == '\0') {
        return;
    }
    tell_move(fetch, jwks_uri);
    copy = strdup(jwks_uri);
    if (copy != NULL) {
        free(fetch->keys_from);
        fetch->keys_from = copy;
    }
}

/* Keys are fetched also where metadata fail, from where they were: a provider
   may change keys while its metadata can't be had. */
static void
on_metadata(void *owner, const lp_http_reply_t *reply)
{
    lp_fetch_t *fetch = owner;

    if (is_answer(fetch, reply, "metadata")) {
        take_metadata(fetch, reply->body);
    }
    if (fetch->problem[0] != '\0' && fetch->source.jwks_uri == NULL
        && fetch->keys_from == NULL) {
        finish(fetch, -1);
        return;
    }
    get_keys(fetch);
}

static void
tell_keys(const lp_fetch_t *fetch, const lp_key_count_t *count)
{
    if (count->left_out > 0) {
        lp_say("%s: %u new keys, and %u left out, the first because: %s",
               name_of(fetch), count->keys, count->left_out, count->first);
    } else {
        lp_say("%s: %u new keys", name_of(fetch), count->keys);
    }
}

/* A sentence, to be gone on with: without its full stop. */
static int
length_of(const char *sentence)
{
    size_t len = strlen(sentence);

    return (int) (len > 0 && sentence[len - 1] == '.' ? len - 1 : len);
}

static void
note_keys(lp_fetch_t *fetch, const char *why, const lp_key_count_t *count)
{
    if (count->first == NULL) {
        note(fetch, "keys: %.*s", length_of(why), why);
    } else {
        note(fetch, "keys: %.*s, the first because: %.*s", length_of(why), why,
             length_of(count->first), count->first);
    }
}

static void
take_keys(lp_fetch_t *fetch, lp_span_t body)
{
    lp_key_count_t count;
    const char    *why;
    char          *text = lp_keys_check(body, &count, &why);

    if (text == NULL) {
        note_keys(fetch, why, &count);
        return;
    }
    if (put_files(fetch, KEYS, text)) {
        tell_keys(fetch, &count);
        fetch->state.changed_at = time(NULL);
    }
    free(text);
    fetch->state.keys = count.keys;
    fetch->state.left_out = count.left_out;
}

static void
on_keys(void *owner, const lp_http_reply_t *reply)
{
    lp_fetch_t *fetch = owner;

    if (is_answer(fetch, reply, "keys")) {
        take_keys(fetch, reply->body);
    }
    finish(fetch, reply->max_age);
}

/* A problem is said when it comes and when it is another one, and its end. */
static void
tell_outcome(lp_fetch_t *fetch)
{
    if (strcmp(fetch->problem, fetch->state.error) == 0) {
        return;
    }
    if (fetch->problem[0] == '\0') {
        lp_say("%s: fetched again", name_of(fetch));
    } else {
        lp_say("%s: %s; what was fetched before stays", name_of(fetch),
               fetch->problem);
    }
    memcpy(fetch->state.error, fetch->problem, sizeof(fetch->problem));
}

static void
finish(lp_fetch_t *fetch, int64_t max_age)
{
    lp_fetcher_t *fetcher = fetch->fetcher;
    int64_t       now = lp_fetcher_clock();

    fetcher->running--;
    fetcher->changed = 1;
    fetch->tried++;
    tell_outcome(fetch);
    if (fetch->problem[0] != '\0') {
        lp_turn_fail(&fetch->turn, &fetcher->schedule, now, fetch->retry_after,
                     any_number());
        return;
    }
    fetch->succeeded++;
    fetch->state.fetched_at = time(NULL);
    lp_turn_succeed(&fetch->turn, &fetcher->schedule, now, max_age,
                    any_number());
}
