/*
 * An open model, as for clicks: requests are due by a schedule that knows
 * nothing of the answers, and latency counts from the moment at which one was
 * due. 32 run side by side; one that is due finds them all busy waits, and is
 * missed when it has waited too long. Single entitlements and bulks have each
 * a schedule of their own. The latency that is reported is that of single
 * entitlements, and of bulks only in a plan that has nothing else: a thousand
 * lines take their time.
 *
 * Each message is for a random member and LP_SELLER_PRODUCT, which nobody
 * clicks on. A user may have eight entitlements to a product, and Leerpoort
 * refuses the ninth: so a member has six uuids (version 8), and where one of
 * them was sent before, the message says the same again under a new reference.
 * In a country of some size, nearly all of them are new.
 */

#include "seller.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../core/base64url.h"
#include "../core/licence.h"
#include "../workers/say.h"
#include "clock.h"
#include "histogram.h"
#include "seller_line.h"
#include "seller_session.h"

#define SIDE_BY_SIDE 32
#define BULK_LINES   1000 /* of one request */
#define STREAM_PUT   0x5e11e7a  /* of the plan's random numbers */
#define STREAM_BULK  0x5e11e7b
#define STREAM_WHO   0x5e11e7c
#define WAIT_MS      50   /* to look whether it is to stop */
#define TOTAL_MS     60000
#define NS_PER_MS    1000000
#define YEAR_DAYS    365
#define EACH         6    /* entitlements of a member */
#define UUIDS        0x5e11e7d /* one after another for their numbers */
#define TYPE_JSON    "application/json"
#define TYPE_NDJSON  "application/x-ndjson"

typedef struct seller_s seller_t;

/* When the next of a kind is due. */
typedef struct {
    double      rate; /* a second; 0: none of it */
    double      at;   /* seconds since the beginning */
    lp_random_t random;
} schedule_t;

typedef struct {
    seller_t *seller;
    int       busy;
    int64_t   due_ns;
    unsigned  lines; /* 0: a single entitlement */
} flight_t;

struct seller_s {
    lp_session_t          *session;
    const lp_plan_t       *plan;
    const lp_population_t *population;
    lp_seller_score_t     *score;
    int64_t                start_ns;
    double                 seconds;
    int64_t                patience_ns;
    lp_random_t            who;
    uint64_t               run;      /* begins references of this run */
    uint64_t               messages; /* until now */
    uint32_t               first, last; /* days that rights are for */
    schedule_t             put, bulk;
    unsigned               bulk_lines;
    flight_t               flights[SIDE_BY_SIDE];
    char                  *body; /* BULK_LINES lines */
};

static int set_up(seller_t *seller);
static void set_schedule(schedule_t *schedule, const lp_plan_t *plan,
                         double rate, uint64_t stream);
static void go_on(schedule_t *schedule, const lp_plan_t *plan);
static void work(seller_t *seller);
static void miss_due(seller_t *seller, schedule_t *schedule, int64_t now);
static int is_over(const seller_t *seller, int64_t now);
static int64_t due_of(const seller_t *seller, const schedule_t *schedule);
static int64_t next_due(const seller_t *seller);
static int send_due(seller_t *seller, schedule_t *schedule, unsigned lines,
                    int64_t now);
static flight_t *free_flight(seller_t *seller);
static int start(seller_t *seller, flight_t *flight);
static size_t write_line(seller_t *seller, char *dst, size_t size);
static void write_uuid(seller_t *seller, char *dst, uint32_t member);
static void take(void *owner, const lp_http_reply_t *reply);
static int judge(seller_t *seller, const flight_t *flight,
                 const lp_http_reply_t *reply);
static void refused(void *owner, uint64_t line, int status, const char *why);
static void wait_until(seller_t *seller, int64_t due, int64_t now);

int
lp_seller_run(const lp_seller_options_t *options, const lp_plan_t *plan,
              const lp_population_t *population, int64_t start_ns,
              lp_seller_score_t *score)
{
    seller_t *seller = calloc(1, sizeof(*seller));
    int       rc = -1;

    lp_histogram_reset(&score->api.latency.h, LP_FINE);

    if (seller == NULL) {
        lp_say("out of memory");
        atomic_store(&score->ended, 1);
        return -1;
    }

    seller->plan = plan;
    seller->population = population;
    seller->score = score;
    seller->start_ns = start_ns;
    seller->session = lp_session_open(options, TOTAL_MS);
    if (seller->session != NULL && set_up(seller) == 0) {
        work(seller);
        rc = 0;
    }

    lp_session_close(seller->session);
    free(seller->body);
    free(seller);
    atomic_store(&score->ended, 1);

    return rc;
}

static int
set_up(seller_t *seller)
{
    const lp_plan_t *plan = seller->plan;
    double           bulks = plan->api.bulk;
    uint32_t         day = lp_population_census(seller->population)->day;

    seller->bulk_lines = bulks > BULK_LINES ? BULK_LINES
                         : bulks > 1        ? (unsigned) (bulks + 0.5)
                                            : 1;
    seller->body = malloc((size_t) seller->bulk_lines * LP_SALE_MAX);
    if (seller->body == NULL) {
        lp_say("out of memory");
        return -1;
    }

    seller->seconds = lp_plan_seconds(plan);
    seller->patience_ns = (int64_t) (plan->connections.answer_s * LP_SECOND_NS);
    seller->first = lp_day_add(day, -YEAR_DAYS);
    seller->last = lp_day_add(day, YEAR_DAYS);
    if (RAND_bytes((unsigned char *) &seller->run, sizeof(seller->run))
        != 1) {
        lp_say("no random numbers");
        return -1;
    }
    lp_random_seed(&seller->who, seller->run, STREAM_WHO);
    set_schedule(&seller->put, plan, plan->api.rate, STREAM_PUT);
    set_schedule(&seller->bulk, plan, bulks / seller->bulk_lines,
                 STREAM_BULK);

    return 0;
}

static void
set_schedule(schedule_t *schedule, const lp_plan_t *plan, double rate,
             uint64_t stream)
{
    schedule->rate = rate;
    schedule->at = 0;
    lp_random_seed(&schedule->random, plan->seed, stream);
    if (rate > 0) {
        go_on(schedule, plan);
    }
}

static void
go_on(schedule_t *schedule, const lp_plan_t *plan)
{
    schedule->at += (plan->even ? 1.0
                                : lp_random_exponential(&schedule->random))
                    / schedule->rate;
}

/* What is in flight when it is over is waited for; each has its time limit. */
static void
work(seller_t *seller)
{
    int64_t now = lp_now_ns();

    while (!is_over(seller, now)) {
        while (send_due(seller, &seller->put, 0, now)
               || send_due(seller, &seller->bulk, seller->bulk_lines, now)) {
            continue;
        }
        wait_until(seller, next_due(seller), now);
        now = lp_now_ns();
    }

    miss_due(seller, &seller->put, now);
    miss_due(seller, &seller->bulk, now);
    while (lp_session_running(seller->session) > 0) {
        lp_session_run(seller->session, WAIT_MS);
    }
}

/* What was due when the run was stopped, and still waited. */
static void
miss_due(seller_t *seller, schedule_t *schedule, int64_t now)
{
    while (due_of(seller, schedule) <= now) {
        seller->score->api.missed++;
        go_on(schedule, seller->plan);
    }
}

static int
is_over(const seller_t *seller, int64_t now)
{
    return atomic_load(&seller->score->stop)
           || (next_due(seller) == INT64_MAX
               && now >= seller->start_ns
                             + (int64_t) (seller->seconds * LP_SECOND_NS));
}

static int64_t
due_of(const seller_t *seller, const schedule_t *schedule)
{
    if (schedule->rate <= 0 || schedule->at >= seller->seconds) {
        return INT64_MAX;
    }

    return seller->start_ns + (int64_t) (schedule->at * LP_SECOND_NS);
}

static int64_t
next_due(const seller_t *seller)
{
    int64_t put = due_of(seller, &seller->put);
    int64_t bulk = due_of(seller, &seller->bulk);

    return put < bulk ? put : bulk;
}

/* 1 where one was due and is sent, or missed. */
static int
send_due(seller_t *seller, schedule_t *schedule, unsigned lines, int64_t now)
{
    flight_t *flight;
    int64_t   due = due_of(seller, schedule);

    if (due > now) {
        return 0;
    }

    flight = free_flight(seller);
    if (flight == NULL && now - due < seller->patience_ns) {
        return 0;
    }

    go_on(schedule, seller->plan);
    if (flight == NULL) {
        seller->score->api.missed++;
        return 1;
    }

    flight->seller = seller;
    flight->due_ns = due;
    flight->lines = lines;
    if (start(seller, flight) != 0) {
        seller->score->api.missed++;
    }

    return 1;
}

static flight_t *
free_flight(seller_t *seller)
{
    unsigned i;

    for (i = 0; i < SIDE_BY_SIDE; i++) {
        if (!seller->flights[i].busy) {
            return &seller->flights[i];
        }
    }

    return NULL;
}

static int
start(seller_t *seller, flight_t *flight)
{
    size_t   room = (size_t) seller->bulk_lines * LP_SALE_MAX, len = 0;
    unsigned i, lines = flight->lines > 0 ? flight->lines : 1;

    for (i = 0; i < lines; i++) {
        len += write_line(seller, seller->body + len, room - len);
    }

    flight->busy = lp_session_send(
                       seller->session, flight->lines > 0 ? "POST" : "PUT",
                       flight->lines > 0 ? "/v1/entitlements/bulk"
                                         : "/v1/entitlements",
                       flight->lines > 0 ? TYPE_NDJSON : TYPE_JSON,
                       (lp_span_t) {seller->body, len}, take, flight) == 0;

    return flight->busy ? 0 : -1;
}

static size_t
write_line(seller_t *seller, char *dst, size_t size)
{
    const lp_population_t *population = seller->population;
    lp_sale_t  sale = {.status = "created"};
    lp_class_t class;
    char       school[LP_NAME_MAX];
    uint32_t   member;

    member = (uint32_t) lp_random_below(&seller->who,
                                        lp_population_members(population));
    write_uuid(seller, sale.entitlement, member);
    snprintf(sale.reference, sizeof(sale.reference),
             "load-%016" PRIx64 "-%" PRIu64, seller->run, seller->messages++);

    lp_population_class(population,
                        lp_population_class_of(population, member), &class);
    sale.school.data = school;
    sale.school.len = lp_population_school_id(population, school,
                                              class.school);
    sale.product = lp_span(LP_SELLER_PRODUCT);
    sale.type = lp_population_teaches(population, member)
                    ? "school-employee" : "school-student";
    sale.from = seller->first;
    sale.until = seller->last;
    sale.person_type = lp_population_id_type(population, member);
    (void) lp_population_person(population, sale.person, member);

    return lp_sale_write(dst, size, &sale);
}

/* One of a member's. */
static void
write_uuid(seller_t *seller, char *dst, uint32_t member)
{
    unsigned char uuid[16];
    uint64_t      number[2], seed;

    seed = lp_random_of(lp_population_census(seller->population)->seed, UUIDS);
    number[0] = lp_random_of(seed, (uint64_t) member * EACH
                                       + lp_random_below(&seller->who, EACH));
    number[1] = lp_random_of(seed, number[0]);
    memcpy(uuid, number, sizeof(uuid));
    uuid[6] = (unsigned char) (0x80 | (uuid[6] & 0x0f)); /* version 8 */
    uuid[8] = (unsigned char) (0x80 | (uuid[8] & 0x3f));
    lp_base64url_encode(dst, uuid, sizeof(uuid));
}

/* An answer, or that there is none. */
static void
take(void *owner, const lp_http_reply_t *reply)
{
    flight_t          *flight = owner;
    seller_t          *seller = flight->seller;
    lp_seller_score_t *score = seller->score;
    int                right = judge(seller, flight, reply);

    flight->busy = 0;
    score->api.requests++;
    atomic_fetch_add(&score->live_requests, 1);

    if (!right) {
        score->api.errors++;
        atomic_fetch_add(&score->live_errors, 1);
    }
    if (flight->lines == 0 || seller->put.rate <= 0) {
        lp_histogram_record(&score->api.latency.h,
                            (lp_now_ns() - flight->due_ns) / 1000);
    }
}

/* A bulk is right where all of its lines were accepted. */
static int
judge(seller_t *seller, const flight_t *flight, const lp_http_reply_t *reply)
{
    uint64_t accepted;

    if (reply->result != LP_HTTP_ANSWERED) {
        return 0;
    }
    if (reply->status == 401) {
        lp_session_refused(seller->session);
    }
    if (flight->lines == 0) {
        return reply->status == 202 && lp_sale_accepted(reply->body);
    }
    if (reply->status != 200) {
        return 0;
    }

    accepted = lp_sale_answers(reply->body, refused, NULL);
    seller->score->api.lines += accepted;

    return accepted == flight->lines;
}

static void
refused(void *owner, uint64_t line, int status, const char *why)
{
    (void) owner;
    (void) line;
    (void) status;
    (void) why;
}

/* libcurl waits where something is in flight; else there is only the clock. */
static void
wait_until(seller_t *seller, int64_t due, int64_t now)
{
    int64_t         ms = due == INT64_MAX ? WAIT_MS : (due - now) / NS_PER_MS;
    struct timespec pause;

    ms = ms < 0 ? 0 : ms > WAIT_MS ? WAIT_MS : ms;

    if (lp_session_running(seller->session) > 0) {
        lp_session_run(seller->session, (int) ms);
        return;
    }

    lp_session_run(seller->session, 0);
    pause.tv_sec = 0;
    pause.tv_nsec = ms > 0 ? ms * NS_PER_MS : NS_PER_MS / 4;
    nanosleep(&pause, NULL);
}
