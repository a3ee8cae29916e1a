/*
 * Each redirect that a client was told is counted once. An edge counts when it
 * has answered, whether or not the answer arrived: so of a product
 *
 *     redirects told <= clicks counted <= redirects told + unheard
 *
 * where counted is what the tally has added since the totals were remembered,
 * and what still waits in the streams. Without unheard clicks that is an
 * equality, and then a click that was counted twice can't hide.
 */

#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../workers/names.h"
#include "../workers/number.h"
#include "../workers/say.h"
#include "../workers/store_args.h"
#include "../workers/usage_entry.h"

#define PAGE      lp_span("100")
#define TRIES     5
#define LINES_KEY lp_span("tally:state")
#define ID_ROOM   64

/* What waits, by product. */
typedef struct {
    lp_verify_t      *verify;
    lp_names_t        names; /* products first, in their order */
    uint64_t         *clicks;
    lp_usage_reader_t lines;
    unsigned          shard;
    lp_span_t         key;
    char              name[LP_KEY_MAX];
} streams_t;

static int read_all(lp_verify_t *verify, uint64_t *waiting);
static int64_t tallied(lp_store_t *store);
static int read_streams(lp_verify_t *verify, uint64_t *waiting);
static int read_stream(streams_t *streams);
static int read_page(streams_t *streams, char *from, unsigned *n);
static int was_counted(streams_t *streams, const lp_usage_entry_t *entry);
static void count_entry(streams_t *streams, const lp_usage_entry_t *entry);
static void compare(lp_verify_t *verify, const uint64_t *waiting);

int
lp_verify_usage(lp_verify_t *verify)
{
    uint32_t  n = verify->before.products;
    uint64_t *waiting = calloc(n, sizeof(uint64_t));
    int       rc;

    if (waiting == NULL) {
        lp_say("out of memory");
        return -1;
    }

    rc = read_all(verify, waiting);
    if (rc == 0) {
        compare(verify, waiting);
    }
    free(waiting);

    return rc;
}

/* Totals and streams belong together only where nothing was tallied between
   reading the ones and the others. */
static int
read_all(lp_verify_t *verify, uint64_t *waiting)
{
    int64_t  before;
    unsigned tries;

    for (tries = 0; tries < TRIES; tries++) {
        before = tallied(verify->store);
        memset(waiting, 0, verify->before.products * sizeof(uint64_t));
        if (before < 0
            || lp_verify_totals(verify) != 0
            || read_streams(verify, waiting) != 0) {
            return -1;
        }
        if (tallied(verify->store) == before) {
            return 0;
        }
    }

    lp_say("the tally is still counting: somebody clicks; verify again when "
           "the run is over");

    return -1;
}

/* Lines that were ever tallied; -1 after lp_say(). */
static int64_t
tallied(lp_store_t *store)
{
    const redisReply *reply;
    int64_t           n;

    reply = lp_store_ask(store, LP_WORDS(lp_span("HGET"), LINES_KEY,
                                         lp_span("lines")));
    if (reply == NULL) {
        lp_store_say(store);
        return -1;
    }

    n = lp_number_read(lp_store_text(reply));

    return n < 0 ? 0 : n;
}

static int
read_streams(lp_verify_t *verify, uint64_t *waiting)
{
    streams_t streams = {.verify = verify, .clicks = waiting};
    char      id[LP_NAME_MAX];
    size_t    len;
    uint32_t  i;
    int       rc = 0;

    lp_usage_reader_init(&streams.lines, (int64_t) time(NULL));
    for (i = 0; i < verify->before.products && rc == 0; i++) {
        len = lp_population_product_id(verify->holdings.population, id, i);
        if (lp_names_add(&streams.names, (lp_span_t) {id, len}) != i) {
            lp_say("out of memory");
            rc = -1;
        }
    }
    for (i = 0; i < LP_SHARDS && rc == 0; i++) {
        streams.shard = i;
        streams.key = (lp_span_t) {streams.name,
                                   lp_key_usage(streams.name, i)};
        rc = read_stream(&streams);
    }
    lp_names_free(&streams.names);

    return rc;
}

static int
read_stream(streams_t *streams)
{
    char     from[ID_ROOM] = "-";
    unsigned n;

    do {
        if (read_page(streams, from, &n) != 0) {
            return -1;
        }
    } while (n > 0);

    return 0;
}

static int
read_page(streams_t *streams, char *from, unsigned *n)
{
    lp_store_t       *store = streams->verify->store;
    const redisReply *page, *one;
    lp_usage_entry_t  entry;
    size_t            i;
    int               counted;

    *n = 0;
    page = lp_store_ask(store, LP_WORDS(lp_span("XRANGE"), streams->key,
                                        lp_span_of(from), lp_span("+"),
                                        lp_span("COUNT"), PAGE));
    if (page == NULL) {
        lp_store_say(store);
        return -1;
    }

    for (i = 0; i < page->elements; i++) {
        one = page->element[i];
        if (one->type != REDIS_REPLY_ARRAY || one->elements != 2) {
            continue;
        }
        snprintf(from, ID_ROOM, "(%.*s",
                 (int) lp_store_text(one->element[0]).len,
                 lp_store_text(one->element[0]).data);
        (*n)++;
        if (lp_usage_entry_read(&entry, one->element[1]) != 0) {
            continue;
        }
        counted = was_counted(streams, &entry);
        if (counted < 0) {
            return -1;
        }
        if (!counted) {
            count_entry(streams, &entry);
        }
    }

    return 0;
}

/* The tally marks what it has counted before it takes it out of the stream. */
static int
was_counted(streams_t *streams, const lp_usage_entry_t *entry)
{
    lp_store_t       *store = streams->verify->aside;
    const redisReply *reply;
    lp_number_t       bit;
    char              name[LP_USAGE_KEY_MAX];
    lp_span_t         key = {name, 0};

    key.len = lp_key_seen(name, streams->shard, entry->producer,
                          entry->sequence / LP_SEEN_BITS);
    reply = lp_store_ask(store,
                         LP_WORDS(lp_span("GETBIT"), key,
                                  lp_number(&bit, entry->sequence
                                                      % LP_SEEN_BITS)));
    if (reply == NULL) {
        lp_store_say(store);
        return -1;
    }

    return reply->integer != 0;
}

static void
count_entry(streams_t *streams, const lp_usage_entry_t *entry)
{
    lp_usage_line_t line;
    lp_usage_read_t what;
    uint32_t        product;

    lp_usage_reader_begin(&streams->lines, entry);
    while ((what = lp_usage_line(&streams->lines, &line)) != LP_USAGE_END) {
        if (what != LP_USAGE_LINE) {
            continue;
        }
        product = lp_names_add(&streams->names, line.product);
        if (product < streams->verify->before.products) {
            streams->clicks[product]++;
        }
    }
}

static void
compare(lp_verify_t *verify, const uint64_t *waiting)
{
    const lp_told_product_t *told;
    char                     id[LP_NAME_MAX];
    uint64_t                 was, is;
    uint32_t                 i;

    verify->redirects = verify->unheard = 0;
    verify->counted = verify->untallied = 0;
    for (i = 0; i < verify->before.products; i++) {
        told = lp_told_product(verify->told, i);
        was = verify->before.clicks[i];
        is = verify->now.clicks[i] + waiting[i];
        verify->redirects += told->redirects;
        verify->unheard += told->unheard;
        verify->counted += is > was ? is - was : 0;
        verify->untallied += waiting[i];

        if (is < was + told->redirects
            || is > was + told->redirects + told->unheard) {
            (void) lp_population_product_id(verify->holdings.population, id,
                                            i);
            lp_find(&verify->findings, LP_FOUND_USAGE,
                    "product %s: %llu redirects were told and %llu not "
                    "heard of, %lld are counted", id,
                    (unsigned long long) told->redirects,
                    (unsigned long long) told->unheard,
                    (long long) (is - was));
        }
    }
}
