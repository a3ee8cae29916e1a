/*
 * What edges have sent and no tally has counted yet. Lines of weeks that are
 * not read where they are counted are passed over here too: else they would be
 * there before they are tallied, and gone afterwards.
 */

#include "usage_before.h"

#include <time.h>

#include "../core/licence.h"
#include "../workers/names.h"
#include "../workers/number.h"
#include "../workers/record.h"
#include "../workers/say.h"
#include "../workers/store_args.h"
#include "../workers/usage_entry.h"
#include "entries.h"

/* What waits, by product. */
typedef struct {
    lp_store_t       *aside;
    uint32_t          products;
    lp_names_t        names; /* products first, in their order */
    uint64_t         *clicks;
    uint64_t          all;
    char              week[LP_WEEK_LEN + 1]; /* the first that counts */
    lp_usage_reader_t lines;
    unsigned          shard;
} streams_t;

static int see_entry(void *owner, lp_span_t id, const redisReply *fields);
static int was_counted(streams_t *streams, const lp_usage_entry_t *entry);
static void count_entry(streams_t *streams, const lp_usage_entry_t *entry);

int
lp_usage_streams(lp_usage_before_t *usage, lp_store_t *store,
                 lp_store_t *aside, const lp_population_t *population)
{
    streams_t streams = {.aside = aside, .products = usage->products,
                         .clicks = usage->clicks};
    char      id[LP_NAME_MAX], name[LP_KEY_MAX];
    lp_span_t key = {name, 0};
    size_t    len;
    uint32_t  i;
    int       rc = 0;

    lp_usage_reader_init(&streams.lines, (int64_t) time(NULL));
    lp_day_week(streams.week, usage->since);
    for (i = 0; i < usage->products && rc == 0; i++) {
        len = lp_population_product_id(population, id, i);
        if (lp_names_add(&streams.names, (lp_span_t) {id, len}) != i) {
            lp_say("out of memory");
            rc = -1;
        }
    }
    for (i = 0; i < LP_SHARDS && rc == 0; i++) {
        streams.shard = i;
        key.len = lp_key_usage(name, i);
        rc = lp_entries_each(store, key, see_entry, &streams);
    }
    lp_names_free(&streams.names);
    usage->waiting = streams.all;

    return rc;
}

/* Of lp_entries_each(). */
static int
see_entry(void *owner, lp_span_t id, const redisReply *fields)
{
    streams_t       *streams = owner;
    lp_usage_entry_t entry;
    int              counted;

    (void) id;
    if (lp_usage_entry_read(&entry, fields) != 0) {
        return 0;
    }
    counted = was_counted(streams, &entry);
    if (counted == 0) {
        count_entry(streams, &entry);
    }

    return counted < 0 ? -1 : 0;
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
        if (what != LP_USAGE_LINE || strcmp(line.week, streams->week) < 0) {
            continue;
        }
        product = lp_names_add(&streams->names, line.product);
        if (product < streams->products) {
            streams->clicks[product]++;
            streams->all++;
        }
    }
}
