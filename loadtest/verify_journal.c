/*
 * Each activation has exactly one record in a journal: it is written in the
 * transaction that makes the licence. The relay takes records away when they
 * are delivered, but Redis keeps how many there ever were, so that they can be
 * counted afterwards. Sellers' messages during the run have records too, their
 * confirmations: then the count has bounds only.
 *
 * What waits is looked at one by one: an entitlement that is not a whole
 * school's has one record of its activation, wherever it is. They move from
 * journals to outboxes to dead letters, all or none: whoever reads in the
 * opposite direction sees none of them twice.
 */

#include "verify.h"

#include "../workers/names.h"
#include "../workers/number.h"
#include "../workers/outbox.h"
#include "../workers/pairs.h"
#include "../workers/say.h"
#include "../workers/store_args.h"
#include "entries.h"
#include "figure.h"

#define PARTIES_MAX 1000

typedef struct {
    lp_verify_t *verify;
    lp_names_t   seen; /* entitlements with an activation that waits */
} letters_t;

static void count(lp_verify_t *verify);
static int read_waiting(lp_verify_t *verify);
static int read_boxes(letters_t *letters, const char *kind);
static int see_letter(void *owner, lp_span_t id, const redisReply *fields);
static int is_older(const letters_t *letters, const redisReply *fields,
                    lp_span_t id);

int
lp_verify_journal(lp_verify_t *verify)
{
    if (lp_verify_totals(verify) != 0 || read_waiting(verify) != 0) {
        return -1;
    }

    count(verify);

    return 0;
}

/* Without a party nobody is told, and nothing is written. */
static void
count(lp_verify_t *verify)
{
    int      told = verify->rehearsed.sold
                    || verify->rehearsed.party[0] != '\0';
    uint64_t least = told ? verify->activations : 0, most = least;

    verify->journal = verify->now.journal - verify->before.journal;
    if (verify->api.errors > 0) {
        most = UINT64_MAX; /* what came of them is not known */
    } else {
        /* a bulk counts once among the requests, and has a line at least */
        least += verify->api.requests > verify->api.lines
                     ? verify->api.requests : verify->api.lines;
        most += verify->api.requests + verify->api.lines;
    }

    if (verify->now.journal < verify->before.journal) {
        lp_find(&verify->findings, LP_FOUND_JOURNAL,
                "a journal was made anew since the totals were remembered");
    } else if (verify->journal < least || verify->journal > most) {
        lp_find(&verify->findings, LP_FOUND_JOURNAL,
                "%llu %s, and %llu %s in the journals%s",
                (unsigned long long) verify->activations,
                lp_figure_noun(verify->activations, "activation",
                               "activations"),
                (unsigned long long) verify->journal,
                lp_figure_noun(verify->journal, "record", "records"),
                verify->api.requests > 0
                    ? " with the confirmations of the sellers' messages" : "");
    }
}

static int
read_waiting(lp_verify_t *verify)
{
    letters_t letters = {.verify = verify};
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, 0};
    unsigned  i;
    int       rc;

    rc = read_boxes(&letters, "dead");
    if (rc == 0) {
        rc = read_boxes(&letters, "outbox");
    }
    for (i = 0; i < LP_SHARDS && rc == 0; i++) {
        key.len = lp_key_journal(name, i);
        rc = lp_entries_each(verify->store, key, see_letter, &letters);
    }
    verify->waiting = letters.seen.n;
    lp_names_free(&letters.seen);

    return rc;
}

/* Of each party that ever had one. */
static int
read_boxes(letters_t *letters, const char *kind)
{
    const redisReply *parties;
    lp_span_t         oin;
    char              key[LP_OUTBOX_KEY_MAX];
    size_t            i;

    parties = lp_store_ask(letters->verify->aside,
                           LP_WORDS(lp_span("SMEMBERS"),
                                    lp_span(LP_OUTBOX_PARTIES)));
    if (parties == NULL) {
        lp_store_say(letters->verify->aside);
        return -1;
    }

    for (i = 0; i < parties->elements && i < PARTIES_MAX; i++) {
        oin = lp_store_text(parties->element[i]);
        if (lp_oin_valid(oin)
            && lp_entries_each(letters->verify->store,
                               lp_outbox_key(key, kind, oin), see_letter,
                               letters) != 0) {
            return -1;
        }
    }

    return 0;
}

/* Of lp_entries_each(). */
static int
see_letter(void *owner, lp_span_t id, const redisReply *fields)
{
    letters_t *letters = owner;
    lp_span_t  entitlement = lp_pairs_find(fields, "entitlement"), school;
    lp_span_t  product;
    uint32_t   known = letters->seen.n, number;

    if (!lp_span_equal(lp_pairs_find(fields, "kind"), lp_span("activation"))
        || lp_span_equal(lp_pairs_find(fields, "type"), lp_span("school-open"))
        || is_older(letters, fields, id)) {
        return 0;
    }

    number = lp_names_add(&letters->seen, entitlement);
    if (number == LP_NAMES_FULL) {
        lp_say("out of memory");
        return -1;
    }
    if (number < known) {
        school = lp_pairs_find(fields, "school");
        product = lp_pairs_find(fields, "product");
        lp_find(&letters->verify->findings, LP_FOUND_JOURNAL,
                "school %.*s, product %.*s: two records of one activation",
                (int) school.len, school.data, (int) product.len,
                product.data);
    }

    return 0;
}

/* Of an earlier run, and not delivered yet. A journal's id is when the record
   was written; outboxes keep that in "since". */
static int
is_older(const letters_t *letters, const redisReply *fields, lp_span_t id)
{
    lp_span_t   at = lp_pairs_find(fields, "since");
    const char *dash;

    if (at.len == 0) {
        dash = id.len > 0 ? memchr(id.data, '-', id.len) : NULL;
        at = id;
        at.len = dash == NULL ? id.len : (size_t) (dash - id.data);
    }

    return lp_number_read(at) < letters->verify->before.at_ms;
}
