/*
 * Rights as a seller sends them: bulks of NDJSON, some of them under way at a
 * time. Memory is that of the bulks in hand, however large the country.
 *
 * A bulk that was not answered, or not to its end, is sent again as it was:
 * Leerpoort knows its references. What belongs together (an entitlement, and
 * that it is blocked) is never in two bulks, of which the second might be
 * quicker.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../workers/say.h"
#include "clock.h"
#include "load_commands.h"
#include "meter.h"
#include "seed.h"
#include "seller_line.h"
#include "seller_session.h"

#define SIDE_BY_SIDE  4
#define BULK_DEFAULT  5000
#define BULK_MAX      100000
#define TRIES_MAX     20
#define PAUSE_MAX_MS  30000
#define TOTAL_MS      600000
#define WAIT_MS       100
#define REASONS       5 /* refusals that are told */
#define REASON_MAX    160
#define LINES_EACH    2 /* of one entitlement */

typedef struct sold_s sold_t;

typedef struct {
    sold_t  *sold;
    char    *body;
    size_t   len;
    unsigned lines;
    unsigned tries;
    int      busy;    /* with the API */
    int      full;    /* to be sent */
    int      cut;     /* the answer ends before the lines do */
    int64_t  not_before;
} bulk_t;

/* Where the writing is: schools, their open rights, their members. */
typedef struct {
    uint32_t    school, product, member;
    unsigned    holding;
    int         in_school; /* its open rights are written */
    uint32_t    pupils;
    lp_person_t person;
} place_t;

struct sold_s {
    lp_seed_t    *seed;
    lp_session_t *session;
    place_t       place;
    unsigned      most; /* lines of a bulk */
    size_t        room;
    bulk_t        bulks[SIDE_BY_SIDE];
    uint64_t      accepted, refused;
    unsigned      n_reasons;
    struct {
        char     text[REASON_MAX];
        uint64_t times;
    } reasons[REASONS];
    int           failed;
    lp_meter_t    meter;
};

static int set_up(sold_t *sold, lp_seller_options_t *options);
static int work(sold_t *sold);
static int fill(sold_t *sold, bulk_t *bulk);
static int add_next(sold_t *sold, bulk_t *bulk);
static int add_open(sold_t *sold, bulk_t *bulk);
static int add_holding(sold_t *sold, bulk_t *bulk);
static int add_line(bulk_t *bulk, const lp_record_t *record, lp_sale_t *sale,
                    const char *status, size_t room);
static int send_bulk(sold_t *sold, bulk_t *bulk);
static void take(void *owner, const lp_http_reply_t *reply);
static void again(bulk_t *bulk, const lp_http_reply_t *reply);
static void give_up(sold_t *sold, const lp_http_reply_t *reply);
static void refused(void *owner, uint64_t line, int status, const char *why);
static void tell(const sold_t *sold);

int
lp_seed_sold(lp_seed_t *seed)
{
    const lp_args_t    *args = seed->args;
    sold_t             *sold = calloc(1, sizeof(*sold));
    lp_seller_options_t options = {
        args->value[LP_LOAD_API], args->value[LP_LOAD_CLIENT],
        args->value[LP_LOAD_CLIENT_KEY], args->value[LP_LOAD_TOKEN_URL],
        args->value[LP_OPT_CA]};
    unsigned            i;
    int                 rc = -1;

    if (sold == NULL) {
        lp_say("out of memory");
        return -1;
    }

    sold->seed = seed;
    if (set_up(sold, &options) == 0) {
        rc = work(sold);
        tell(sold);
    }

    seed->people = lp_population_members(seed->holdings.population);
    seed->rights = sold->accepted;
    seed->refused = sold->refused;
    seed->seconds = lp_meter_end(&sold->meter);
    lp_session_close(sold->session);
    for (i = 0; i < SIDE_BY_SIDE; i++) {
        free(sold->bulks[i].body);
    }
    free(sold);

    return rc;
}

static int
set_up(sold_t *sold, lp_seller_options_t *options)
{
    int64_t  most = BULK_DEFAULT;
    unsigned i;

    (void) lp_args_number(sold->seed->args, LP_LOAD_BULK, BULK_MAX, &most);
    sold->most = most < LINES_EACH ? LINES_EACH : (unsigned) most;
    sold->room = (size_t) sold->most * LP_SALE_MAX;
    lp_meter_begin(&sold->meter, "people", 0,
                   lp_population_members(sold->seed->holdings.population));

    for (i = 0; i < SIDE_BY_SIDE; i++) {
        sold->bulks[i].sold = sold;
        sold->bulks[i].body = malloc(sold->room);
        if (sold->bulks[i].body == NULL) {
            lp_say("out of memory");
            return -1;
        }
    }

    sold->session = lp_session_open(options, TOTAL_MS);

    return sold->session == NULL ? -1 : 0;
}

/* Each bulk is written when it has nothing to send, and sent when it may be. */
static int
work(sold_t *sold)
{
    bulk_t  *bulk;
    unsigned i, left;
    int64_t  now;

    do {
        left = 0;
        now = lp_now_ms();
        for (i = 0; i < SIDE_BY_SIDE && !sold->failed; i++) {
            bulk = &sold->bulks[i];
            if (!bulk->busy && !bulk->full && fill(sold, bulk) != 0) {
                return -1;
            }
            if (!bulk->busy && bulk->full && now >= bulk->not_before
                && send_bulk(sold, bulk) != 0) {
                return -1;
            }
            left += bulk->busy || bulk->full;
        }

        lp_session_run(sold->session, WAIT_MS);
        if (left > 0 && lp_session_running(sold->session) == 0) {
            nanosleep(&(struct timespec) {0, 10000000}, NULL);
        }
        lp_meter_show(&sold->meter, sold->place.member);
    } while (left > 0 && !sold->failed);

    return sold->failed ? -1 : 0;
}

/* Up to the end of a bulk or of the country. */
static int
fill(sold_t *sold, bulk_t *bulk)
{
    int rc = 1;

    bulk->len = 0;
    bulk->lines = 0;
    bulk->tries = 0;
    bulk->not_before = 0;
    while (rc == 1 && bulk->lines + LINES_EACH <= sold->most) {
        rc = add_next(sold, bulk);
    }
    bulk->full = bulk->lines > 0;

    return rc < 0 ? -1 : 0;
}

/* 1; 0: there is none; -1 after lp_say(). */
static int
add_next(sold_t *sold, bulk_t *bulk)
{
    const lp_holdings_t *holdings = &sold->seed->holdings;
    place_t             *place = &sold->place;
    int                  rc;

    while (place->school < lp_population_schools(holdings->population)) {
        if (!place->in_school) {
            rc = add_open(sold, bulk);
            if (rc != 0) {
                return rc;
            }
            place->in_school = 1;
            place->holding = LP_SHELF;
        }

        if (place->holding < place->person.n) {
            return add_holding(sold, bulk) == 0 ? 1 : -1;
        }
        if (place->member >= lp_population_members(holdings->population)) {
            return 0;
        }
        if (lp_holdings_person(holdings, &place->person, place->member)
            != 0) {
            lp_say("OpenSSL failed");
            return -1;
        }
        if (place->person.school != place->school) {
            place->school = place->person.school;
            place->in_school = 0;
            place->product = 0;
            place->person.n = 0;
            continue;
        }
        place->member++;
        place->holding = 0;
    }

    return 0;
}

/* 1 where there was one more; -1 after lp_say(). */
static int
add_open(sold_t *sold, bulk_t *bulk)
{
    const lp_holdings_t *holdings = &sold->seed->holdings;
    place_t             *place = &sold->place;
    lp_record_t          record;
    lp_sale_t            sale = {.person_type = NULL};
    uint32_t n = lp_population_census(holdings->population)->products;

    while (place->product < n
           && !lp_population_open_right(holdings->population, place->school,
                                        place->product)) {
        place->product++;
    }
    if (place->product == n) {
        return 0;
    }

    lp_holdings_open(holdings, &record, place->school, place->product,
                     lp_holdings_pupils(holdings, place->school));
    snprintf(sale.reference, sizeof(sale.reference),
             "load-%" PRIu64 "-s%" PRIu32 "-p%" PRIu32,
             lp_population_census(holdings->population)->seed, place->school,
             place->product);
    place->product++;

    return add_line(bulk, &record, &sale, "created", sold->room) == 0 ? 1 : -1;
}

static int
add_holding(sold_t *sold, bulk_t *bulk)
{
    const lp_holdings_t *holdings = &sold->seed->holdings;
    place_t             *place = &sold->place;
    const lp_holding_t  *holding = &place->person.list[place->holding++];
    lp_sale_t            sale;
    uint64_t             seed;
    uint32_t             member = place->person.member;

    memset(&sale, 0, sizeof(sale));
    seed = lp_population_census(holdings->population)->seed;
    sale.person_type = lp_population_id_type(holdings->population, member);
    (void) lp_population_person(holdings->population, sale.person, member);
    snprintf(sale.reference, sizeof(sale.reference),
             "load-%" PRIu64 "-%" PRIu32 "-%u", seed, member, holding->slot);
    if (add_line(bulk, &holding->record, &sale, "created", sold->room) != 0) {
        return -1;
    }
    if (holding->hold != LP_HOLD_BLOCKED) {
        return 0;
    }

    snprintf(sale.reference, sizeof(sale.reference),
             "load-%" PRIu64 "-%" PRIu32 "-%u-b", seed, member,
             holding->slot);
    sale.end = lp_population_census(holdings->population)->day;

    return add_line(bulk, &holding->record, &sale, "blocked", sold->room);
}

static int
add_line(bulk_t *bulk, const lp_record_t *record, lp_sale_t *sale,
         const char *status, size_t room)
{
    size_t len;

    memcpy(sale->entitlement, record->entitlement, LP_ENTITLEMENT_LEN);
    sale->type = lp_type_name(record->type);
    sale->status = status;
    sale->product = lp_field(&record->product);
    sale->school = lp_field(&record->school);
    sale->from = record->from;
    sale->until = record->until;
    sale->quantity = record->quantity;

    len = lp_sale_write(bulk->body + bulk->len, room - bulk->len, sale);
    if (len == 0) {
        lp_say("a line is too long");
        return -1;
    }

    bulk->len += len;
    bulk->lines++;

    return 0;
}

static int
send_bulk(sold_t *sold, bulk_t *bulk)
{
    bulk->cut = 0;
    if (lp_session_send(sold->session, "POST", "/v1/entitlements/bulk",
                        "application/x-ndjson",
                        (lp_span_t) {bulk->body, bulk->len}, take, bulk)
        != 0) {
        lp_say("out of memory");
        return -1;
    }
    bulk->busy = 1;

    return 0;
}

static void
take(void *owner, const lp_http_reply_t *reply)
{
    bulk_t  *bulk = owner;
    sold_t  *sold = bulk->sold;
    uint64_t accepted, before = sold->refused;

    bulk->busy = 0;
    if (reply->result != LP_HTTP_ANSWERED || reply->status == 401
        || reply->status == 429 || reply->status >= 500) {
        if (reply->status == 401) {
            lp_session_refused(sold->session);
        }
        again(bulk, reply);
        return;
    }
    if (reply->status != 200) {
        give_up(sold, reply);
        return;
    }

    accepted = lp_sale_answers(reply->body, refused, bulk);
    if (bulk->cut || accepted + (sold->refused - before) < bulk->lines) {
        sold->refused = before; /* they will be counted when it is sent again */
        again(bulk, reply);
        return;
    }

    sold->accepted += accepted;
    bulk->full = 0;
}

/* After as long as the API asks for, else 1, 2, 4 ... seconds. */
static void
again(bulk_t *bulk, const lp_http_reply_t *reply)
{
    int64_t pause = bulk->tries < 5 ? 1000 << bulk->tries : PAUSE_MAX_MS;

    if (reply->result == LP_HTTP_ANSWERED && reply->retry_after > 0) {
        pause = reply->retry_after < PAUSE_MAX_MS / 1000
                    ? reply->retry_after * 1000 : PAUSE_MAX_MS;
    }
    if (++bulk->tries >= TRIES_MAX || reply->result == LP_HTTP_FORBIDDEN) {
        give_up(bulk->sold, reply);
        return;
    }

    bulk->not_before = lp_now_ms() + pause;
}

static void
give_up(sold_t *sold, const lp_http_reply_t *reply)
{
    if (!sold->failed && reply->result != LP_HTTP_ANSWERED) {
        lp_say("the API %s", lp_http_text(reply->result));
    } else if (!sold->failed) {
        lp_say("the API answered %d to a bulk%s", reply->status,
               reply->status == 403
                   ? ": may this client do entitlement.licensor?" : "");
    }
    sold->failed = 1;
}

static void
refused(void *owner, uint64_t line, int status, const char *why)
{
    bulk_t  *bulk = owner;
    sold_t  *sold = bulk->sold;
    char     safe[LP_ESCAPED_MAX];
    unsigned i;

    (void) status;
    if (line == 0) {
        bulk->cut = 1; /* why it ends here */
        return;
    }

    sold->refused++;
    lp_escape(safe, lp_span_of(why), 64);
    for (i = 0; i < sold->n_reasons; i++) {
        if (strncmp(sold->reasons[i].text, safe, REASON_MAX - 1) == 0) {
            sold->reasons[i].times++;
            return;
        }
    }
    if (sold->n_reasons < REASONS) {
        snprintf(sold->reasons[i].text, REASON_MAX, "%.*s", REASON_MAX - 1,
                 safe);
        sold->reasons[i].times = 1;
        sold->n_reasons++;
    }
}

static void
tell(const sold_t *sold)
{
    unsigned i;

    if (sold->refused > 0) {
        lp_say("%" PRIu64 " lines were refused", sold->refused);
    }
    for (i = 0; i < sold->n_reasons; i++) {
        lp_say("  %" PRIu64 " times: %s", sold->reasons[i].times,
               sold->reasons[i].text);
    }
}
