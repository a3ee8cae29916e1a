/*
 * What edges have sent and no tally has counted yet.
 */

#include "usage_before.h"

#include <stdio.h>
#include <time.h>

#include "../workers/names.h"
#include "../workers/number.h"
#include "../workers/record.h"
#include "../workers/say.h"
#include "../workers/store_args.h"
#include "../workers/usage_entry.h"

#define PAGE    lp_span("100")
#define ID_ROOM 64

/* What waits, by product. */
typedef struct {
    lp_store_t       *store, *aside;
    uint32_t          products;
    lp_names_t        names; /* products first, in their order */
    uint64_t         *clicks;
    uint64_t          all;
    lp_usage_reader_t lines;
    unsigned          shard;
    lp_span_t         key;
    char              name[LP_KEY_MAX];
} streams_t;

static int read_stream(streams_t *streams);
static int read_page(streams_t *streams, char *from, unsigned *n);
static int was_counted(streams_t *streams, const lp_usage_entry_t *entry);
static void count_entry(streams_t *streams, const lp_usage_entry_t *entry);

int
lp_usage_streams(lp_usage_before_t *usage, lp_store_t *store,
                 lp_store_t *aside, const lp_population_t *population)
{
    streams_t streams = {.store = store, .aside = aside,
                         .products = usage->products,
                         .clicks = usage->clicks};
    char      id[LP_NAME_MAX];
    size_t    len;
    uint32_t  i;
    int       rc = 0;

    lp_usage_reader_init(&streams.lines, (int64_t) time(NULL));
    for (i = 0; i < usage->products && rc == 0; i++) {
        len = lp_population_product_id(population, id, i);
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
    usage->waiting = streams.all;

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
    lp_store_t       *store = streams->store;
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
    lp_store_t       *store = streams->aside;
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
        if (product < streams->products) {
            streams->clicks[product]++;
            streams->all++;
        }
    }
}
