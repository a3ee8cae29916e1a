/*
 * Clicks. Their clock runs from the scheduled moment, whatever happens: while
 * they wait for a connection, and while a request that died on an idle
 * connection is sent again. The limit is the same for all, so that the queue
 * of all clicks by their moment is also that of who is late next.
 *
 * A click that may use an open connection takes an idle one, else a new one as
 * long as the plan allows another. One that has to be fresh makes room by
 * closing the connection that was idle for the longest. Who gets nothing waits
 * in order; at full load each answer starts the first that waits, as a closed
 * loop would, and its clock has been running.
 */

#include "clicks.h"

#include "exchange.h"
#include "judge.h"

#define SHORTAGE_PAUSE_NS INT64_C(10000000) /* before another is tried */

static int start(lp_rig_t *rig, lp_flight_t *flight);
static int start_fresh(lp_rig_t *rig, lp_flight_t *flight, unsigned group);
static int make_room(lp_rig_t *rig, const lp_flight_t *flight);
static void note_shortage(lp_rig_t *rig, int error);
static unsigned group_of(const lp_rig_t *rig, const lp_flight_t *flight);
static void wait_first(lp_rig_t *rig, lp_flight_t *flight);
static void give_up(lp_rig_t *rig, lp_flight_t *flight, int timed);
static int by_tool(const lp_rig_t *rig, const lp_flight_t *flight);
static void unheard(lp_rig_t *rig, lp_flight_t *flight);
static void end(lp_rig_t *rig, lp_flight_t *flight,
                const lp_ending_t *ending);
static int first_use(lp_rig_t *rig, const lp_flight_t *flight);
static int first(const lp_flight_t *flight);


int
lp_clicks_take(lp_rig_t *rig, const lp_arrival_t *arrival, int64_t now_ns)
{
    lp_flight_t *flight = lp_slab_take(&rig->flights);

    if (flight == NULL) {
        return -1;
    }

    memset(flight, 0, sizeof(*flight));
    flight->arrival = *arrival;
    flight->at_ns = rig->engine->start_ns + arrival->at_ns;
    lp_queue_append(&rig->live, &flight->order);
    lp_scoring_scheduled(rig->score, arrival, now_ns - flight->at_ns);

    if (now_ns - flight->at_ns > rig->answer_ns) {
        rig->shortage_seen = now_ns; /* of time */
        give_up(rig, flight, 1);

    } else if (rig->waiting.n > 0 || !start(rig, flight)) {
        if (rig->waiting.n >= LP_WAITING_MAX) {
            give_up(rig, flight, 1);
        } else {
            flight->waits = 1;
            lp_queue_append(&rig->waiting, &flight->wait);
        }
    }
    return 0;
}


void
lp_clicks_launch(lp_rig_t *rig)
{
    lp_flight_t *flight;
    lp_link_t   *link;

    while ((link = lp_queue_first(&rig->waiting)) != NULL) {
        flight = lp_queue_thing(link, lp_flight_t, wait);
        lp_queue_remove(&rig->waiting, link);
        flight->waits = 0;
        if (!start(rig, flight)) {
            wait_first(rig, flight);
            return;
        }
    }
}


static void
wait_first(lp_rig_t *rig, lp_flight_t *flight)
{
    flight->waits = 1;
    lp_queue_push(&rig->waiting, &flight->wait);
}


/* 0: it has to wait. 1: it is on its way, or has ended already. */
static int
start(lp_rig_t *rig, lp_flight_t *flight)
{
    unsigned         group = group_of(rig, flight);
    lp_connection_t *connection;

    if (!flight->arrival.fresh && !flight->retried) {
        connection = lp_pool_take(&rig->pool, group);
        if (connection != NULL) {
            lp_exchange_send(rig, connection, flight);
            return 1;
        }
    }

    return start_fresh(rig, flight, group);
}


static int
start_fresh(lp_rig_t *rig, lp_flight_t *flight, unsigned group)
{
    int error;

    if (rig->shortage != 0 && lp_now_ns() < rig->shortage_until) {
        return 0;
    }
    if (!make_room(rig, flight)) {
        return 0;
    }

    error = lp_exchange_open(rig, flight, group);
    if (error == 0) {
        return 1;
    }

    if (lp_connection_shortage(error)) {
        note_shortage(rig, error);
        return 0;
    }
    lp_clicks_fail(rig, flight, LP_END_NO_CONNECTION);
    return 1;
}


static int
make_room(lp_rig_t *rig, const lp_flight_t *flight)
{
    lp_connection_t *oldest;

    if (rig->open < rig->most) {
        return 1;
    }

    oldest = lp_pool_oldest(&rig->pool);
    if (oldest != NULL && (flight->arrival.fresh || flight->retried)) {
        lp_exchange_close(rig, oldest);
        return 1;
    }

    if (rig->capped) {
        rig->shortage_seen = lp_now_ns();
    }
    return 0;
}


static void
note_shortage(lp_rig_t *rig, int error)
{
    int64_t now = lp_now_ns();

    if (rig->shortage == 0) {
        rig->shortage_ns = now;
    }
    rig->shortage = error;
    rig->shortage_seen = now;
    rig->shortage_until = now + SHORTAGE_PAUSE_NS;
}


/* A school comes from one address. */
static unsigned
group_of(const lp_rig_t *rig, const lp_flight_t *flight)
{
    const lp_population_t *population = rig->engine->population;
    lp_class_t             class;

    if (rig->way.groups == 1) {
        return 0;
    }

    lp_population_class(population,
                        lp_population_class_of(population,
                                               flight->arrival.member),
                        &class);
    return class.school % rig->way.groups;
}


void
lp_clicks_late(lp_rig_t *rig, int64_t now_ns)
{
    lp_flight_t *flight;
    lp_link_t   *link;

    while ((link = lp_queue_first(&rig->live)) != NULL) {
        flight = lp_queue_thing(link, lp_flight_t, order);
        if (now_ns - flight->at_ns < rig->answer_ns) {
            return;
        }
        give_up(rig, flight, 1);
    }
}


void
lp_clicks_abandon(lp_rig_t *rig)
{
    lp_link_t *link;

    while ((link = lp_queue_first(&rig->live)) != NULL) {
        give_up(rig, lp_queue_thing(link, lp_flight_t, order), 0);
    }
}


/* timed: at its limit, not because the run was broken off. */
static void
give_up(lp_rig_t *rig, lp_flight_t *flight, int timed)
{
    lp_ending_t ending = {.timed = timed, .now_ns = lp_now_ns()};

    ending.end = flight->sent_ns == 0 ? LP_END_MISSED : LP_END_LATE;
    ending.first_use = timed && first_use(rig, flight);
    if (ending.end == LP_END_MISSED && by_tool(rig, flight)) {
        rig->score->missed_by_tool++;
    }

    if (flight->waits) {
        lp_queue_remove(&rig->waiting, &flight->wait);
    }
    if (flight->connection != NULL) {
        if (lp_clicks_astray(rig, flight, flight->connection->answer)) {
            ending.end = LP_END_WRONG_REDIRECT;
        }
        lp_exchange_close(rig, flight->connection);
    }
    unheard(rig, flight);
    end(rig, flight, &ending);
}


/* Whether it waited because of this machine, and not of a busy target. */
static int
by_tool(const lp_rig_t *rig, const lp_flight_t *flight)
{
    return rig->shortage_seen >= flight->at_ns;
}


void
lp_clicks_retry(lp_rig_t *rig, lp_flight_t *flight)
{
    lp_scoring_retried(rig->score, &flight->arrival);
    unheard(rig, flight);
    flight->retried = 1;
    flight->connection = NULL;
    if (!start(rig, flight)) {
        wait_first(rig, flight);
    }
}


/* A browser does not wait for the body of a redirect. */
int
lp_clicks_astray(lp_rig_t *rig, const lp_flight_t *flight,
                 const lp_answer_t *answer)
{
    const lp_wire_t *wire = &rig->engine->aim->wire;

    if (answer == NULL || !answer->headed) {
        return 0;
    }

    lp_expect(&rig->expected, wire, rig->engine->population,
              &flight->arrival);
    return lp_judge(&rig->expected, answer, wire->login)
           == LP_END_WRONG_REDIRECT;
}


void
lp_clicks_fail(lp_rig_t *rig, lp_flight_t *flight, lp_end_t how)
{
    lp_ending_t ending = {.end = how, .timed = how == LP_END_LATE};

    ending.first_use = first_use(rig, flight);
    ending.now_ns = lp_now_ns();
    unheard(rig, flight);
    end(rig, flight, &ending);
}


/* It was sent, and may have been answered with a redirect. */
static void
unheard(lp_rig_t *rig, lp_flight_t *flight)
{
    if (flight->asked && flight->out) {
        lp_told_unheard(rig->engine->told, flight->product);
    }
    flight->out = 0;
}


void
lp_clicks_answered(lp_rig_t *rig, lp_flight_t *flight,
                   const lp_answer_t *answer)
{
    const lp_wire_t *wire = &rig->engine->aim->wire;
    lp_expected_t   *expected = &rig->expected;
    lp_ending_t      ending = {.whole = 1, .timed = 1};

    ending.now_ns = lp_now_ns();
    ending.outcome = answer->outcome;
    lp_expect(expected, wire, rig->engine->population, &flight->arrival);
    ending.end = lp_judge(expected, answer, wire->login);
    ending.first_use = expected->activates && first(flight);

    if (flight->asked && ending.end == LP_END_RIGHT) {
        lp_told_answer(rig->engine->told, flight->arrival.member,
                       flight->arrival.slot, flight->product);
    }
    end(rig, flight, &ending);
}


static int
first_use(lp_rig_t *rig, const lp_flight_t *flight)
{
    lp_expect(&rig->expected, &rig->engine->aim->wire,
              rig->engine->population, &flight->arrival);
    return rig->expected.activates && first(flight);
}


/* Whether nobody asked for it before: a right is used first only once. */
static int
first(const lp_flight_t *flight)
{
    return !flight->repeats && !flight->arrival.doubled;
}


static void
end(lp_rig_t *rig, lp_flight_t *flight, const lp_ending_t *ending)
{
    lp_scoring_ended(rig->score, flight, ending);
    lp_queue_remove(&rig->live, &flight->order);
    lp_slab_give(&rig->flights, flight);
}
