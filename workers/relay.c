/*
 * One loop: hold the lock, move what is new in the journal to outboxes, let
 * every receiver do a step, work on HTTP. It sleeps in Redis (XREADGROUP BLOCK)
 * while nothing is on its way, else in curl.
 *
 * Redis away: what flies is waited for, its outcome is kept in memory and
 * written down when Redis is back and the lock still ours; else it is forgotten
 * and sent again. Asked to stop, it finishes what flies, for a while.
 */

#include "relay.h"

#include <stdlib.h>
#include <time.h>

#include "delivery.h"
#include "say.h"

#define CONNECT_MS   5000
#define BLOCK_MS     500   /* asleep in Redis; SIGTERM waits for so long */
#define FLYING_MS    20    /* asleep in curl; between looks at the journal */
#define AGAIN_MS     200   /* after Redis failed, or another had the lock */
#define REFRESH_MS   1000
#define TELL_MS      60000
#define FAREWELL_MS  10000 /* for what flies when asked to stop */

typedef struct {
    const lp_relay_options_t    *options;
    const volatile sig_atomic_t *stop;
    lp_relay_lock_t              lock;
    lp_outbox_t                  outbox;
    lp_relay_tools_t             tools;
    lp_delivery_t               *delivery;
    int                          held;
    int                          complained; /* of Redis, or of the other */
    int                          failed;     /* once: it can't be done */
    int                          looked; /* for new entries, in this turn */
    int64_t                      began;
    int64_t                      take_at, refresh_at, tell_at;
} relay_t;

static void
nap(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&time, NULL); /* a signal ends it, as it should */
}

/* What is done when a part says that Redis or the lock is gone. */
static void
lose(relay_t *relay, lp_relay_lock_status_t status)
{
    const char *word = lp_store_error(relay->options->store);

    if (status == LP_LOCK_OTHERS && relay->held) {
        lp_say("relay: lost=lock, begins anew");
        lp_delivery_forget(relay->delivery);
        relay->outbox.pending = 1;
        relay->held = 0;
        return;
    }
    if (!relay->complained) {
        if (status == LP_LOCK_OTHERS) {
            lp_say("relay: waits for another relay to end");
        } else {
            lp_say("relay: Redis fails: %s",
                   word[0] == '\0' ? "it can't be reached" : word);
        }
        relay->complained = 1;
    }
}

static lp_relay_lock_status_t
hold(relay_t *relay)
{
    lp_relay_lock_status_t status;

    if (relay->held) {
        return lp_relay_lock_keep(&relay->lock);
    }
    status = lp_relay_lock_take(&relay->lock);
    if (status == LP_LOCK_HELD) {
        relay->held = 1;
        relay->refresh_at = 0;
    }
    return status;
}

static void
on_moved(void *owner, lp_span_t oin)
{
    lp_delivery_expect(owner, oin);
}

/* Moves from the journal; *n: how many. Sleeps there where all is quiet. */
static lp_relay_lock_status_t
take(relay_t *relay, unsigned *n)
{
    int64_t now = lp_relay_clock();
    int     quiet = !lp_delivery_busy(relay->delivery);
    int     block = 0;

    *n = 0;
    relay->looked = 0;
    if (!quiet && now < relay->take_at) {
        return LP_LOCK_HELD;
    }
    if (quiet && !relay->options->once) {
        block = lp_delivery_rest(relay->delivery, BLOCK_MS);
    }
    relay->take_at = now + FLYING_MS;
    relay->looked = !relay->outbox.pending;
    return lp_outbox_take(&relay->outbox, block, on_moved, relay->delivery, n);
}

static lp_relay_lock_status_t
refresh(relay_t *relay)
{
    int64_t now = lp_relay_clock();

    if (now >= relay->tell_at) {
        lp_delivery_tell(relay->delivery);
        relay->tell_at = now + TELL_MS;
    }
    if (now < relay->refresh_at) {
        return LP_LOCK_HELD;
    }
    relay->refresh_at = now + REFRESH_MS;
    return lp_delivery_refresh(relay->delivery);
}

/* One turn; *n: what came from the journal. */
static lp_relay_lock_status_t
turn(relay_t *relay, unsigned *n)
{
    lp_relay_lock_status_t status = hold(relay);

    if (status == LP_LOCK_HELD) {
        status = refresh(relay);
    }
    if (status == LP_LOCK_HELD) {
        status = take(relay, n);
    }
    if (status == LP_LOCK_HELD) {
        status = lp_delivery_step(relay->delivery, 0);
    }
    return status;
}

/* Once: has all been done, or can it not be? A lock may be a dead one's. */
static int
is_over(relay_t *relay, lp_relay_lock_status_t status, unsigned n)
{
    int64_t patience = relay->options->lock_ms + BLOCK_MS;

    if (*relay->stop) {
        return 1;
    }
    if (!relay->options->once) {
        return 0;
    }
    if (status == LP_LOCK_HELD) {
        return n == 0 && relay->looked
               && !lp_delivery_busy(relay->delivery);
    }
    if (lp_relay_clock() - relay->began > patience) {
        relay->failed = 1;
        return 1;
    }
    return 0;
}

static void
work(relay_t *relay)
{
    lp_relay_lock_status_t status;
    unsigned               n;

    do {
        n = 0;
        status = turn(relay, &n);
        if (status == LP_LOCK_HELD) {
            relay->complained = 0;
        } else {
            lose(relay, status);
        }
        if (lp_http_running(relay->tools.http) > 0) {
            lp_http_run(relay->tools.http, FLYING_MS);
        } else if (status != LP_LOCK_HELD) {
            nap(AGAIN_MS);
        }
    } while (!is_over(relay, status, n));
}

/* What flies may land; what landed is written down. */
static void
finish(relay_t *relay)
{
    int64_t until = lp_relay_clock() + FAREWELL_MS;

    while (relay->held && lp_http_running(relay->tools.http) > 0
           && lp_relay_clock() < until) {
        lp_http_run(relay->tools.http, FLYING_MS);
        (void) lp_relay_lock_keep(&relay->lock);
    }
    if (relay->held) {
        lp_http_abort(relay->tools.http);
        (void) lp_delivery_step(relay->delivery, 1);
        lp_relay_lock_drop(&relay->lock);
    }
    lp_delivery_tell(relay->delivery);
}

static int
prepare(relay_t *relay, const lp_relay_options_t *options)
{
    lp_http_options_t http = {"leerpoort-relay", options->ca, CONNECT_MS,
                              (long) options->patience_ms, 0};

    memset(relay, 0, sizeof(*relay));
    relay->options = options;
    relay->began = lp_relay_clock();
    relay->tell_at = relay->began + TELL_MS;
    relay->outbox.lock = &relay->lock;
    relay->outbox.pending = 1; /* of a relay that died */
    relay->tools.outbox = &relay->outbox;
    relay->tools.http = lp_http_create(&http);
    relay->tools.parties = options->parties;
    relay->tools.seal = options->seal;
    memcpy(relay->tools.pauses_ms, options->pauses_ms,
           sizeof(options->pauses_ms));
    relay->tools.n_pauses = options->n_pauses;
    relay->delivery = lp_delivery_create(&relay->tools);
    if (relay->tools.http == NULL || relay->delivery == NULL
        || lp_relay_lock_init(&relay->lock, options->store, options->lock_ms)
               != 0) {
        lp_say("relay: out of memory");
        return -1;
    }
    return 0;
}

int
lp_relay_run(const lp_relay_options_t *options,
             const volatile sig_atomic_t *stop)
{
    relay_t relay;
    int     rc = prepare(&relay, options);

    relay.stop = stop;
    if (rc == 0) {
        work(&relay);
        finish(&relay);
        rc = relay.failed ? -1 : 0;
    }
    if (relay.tools.http != NULL) {
        lp_delivery_destroy(relay.delivery);
    }
    lp_http_destroy(relay.tools.http);
    return rc;
}
