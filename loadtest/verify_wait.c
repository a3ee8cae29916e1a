/*
 * Edges send usage about once a second, the tally counts what they sent, the
 * relay moves journals to outboxes. A run that has just ended is ahead of them.
 * So it is waited for until the streams are empty and every redirect that was
 * told is counted; but no longer than something moves, as there may be no
 * tally, and no relay, on purpose.
 */

#include "verify.h"

#include <time.h>

#include "../workers/say.h"
#include "../workers/store_args.h"
#include "clock.h"
#include "meter.h"

#define LOOK_MS  250
#define LOOK_MAX 200    /* entries */
#define QUIET_MS 6000   /* nothing moves: longer than an edge keeps usage */
#define MOST_MS  600000

/* How far everybody is. */
typedef struct {
    uint64_t usage, journal; /* entries that wait */
    int      short_of;       /* a redirect that was told is not counted */
    uint64_t clicks;
} state_t;

static int look(lp_verify_t *verify, state_t *state);
static int add_length(lp_store_t *store,
                      size_t (*name_of)(char *dst, unsigned shard),
                      uint64_t *sum);
static void compare(const lp_verify_t *verify, state_t *state);

int
lp_verify_totals(lp_verify_t *verify)
{
    lp_usage_before_free(&verify->now);

    return lp_usage_now(&verify->now, verify->store, verify->aside,
                        verify->holdings.population, verify->before.since);
}

int
lp_verify_wait(lp_verify_t *verify)
{
    state_t    last = {0, 0, 0, 0}, state;
    lp_meter_t meter;
    int64_t    begun = lp_now_ms(), moved = begun, now;

    lp_meter_begin(&meter, "entries wait for tally and relay", 0, 0);
    for ( ;; ) {
        if (look(verify, &state) != 0) {
            return -1;
        }
        now = lp_now_ms();
        if (state.usage != last.usage || state.journal != last.journal
            || state.clicks != last.clicks) {
            moved = now;
        }
        last = state;

        if ((state.usage == 0 && state.journal == 0 && !state.short_of)
            || now - moved >= QUIET_MS || now - begun >= MOST_MS) {
            break;
        }
        lp_meter_show(&meter, state.usage + state.journal);
        nanosleep(&(struct timespec) {0, LOOK_MS * 1000000L}, NULL);
    }
    (void) lp_meter_end(&meter);

    return 0;
}

static int
look(lp_verify_t *verify, state_t *state)
{
    memset(state, 0, sizeof(*state));
    if (add_length(verify->store, lp_key_usage, &state->usage) != 0
        || add_length(verify->store, lp_key_journal, &state->journal) != 0) {
        return -1;
    }

    /* what much adds up to is not asked four times a second */
    if (state->usage > LOOK_MAX) {
        return 0;
    }
    if (lp_verify_totals(verify) != 0) {
        return -1;
    }
    compare(verify, state);

    return 0;
}

static int
add_length(lp_store_t *store, size_t (*name_of)(char *dst, unsigned shard),
           uint64_t *sum)
{
    const redisReply *reply;
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, 0};
    unsigned          i;

    for (i = 0; i < LP_SHARDS; i++) {
        key.len = name_of(name, i);
        lp_store_add(store, LP_WORDS(lp_span("XLEN"), key));
    }
    if (lp_store_run(store) != LP_STORE_OK) {
        lp_store_say(store);
        return -1;
    }
    for (i = 0; i < LP_SHARDS; i++) {
        reply = lp_store_reply(store, i);
        *sum += reply->integer > 0 ? (uint64_t) reply->integer : 0;
    }

    return 0;
}

static void
compare(const lp_verify_t *verify, state_t *state)
{
    uint64_t told;
    uint32_t i;

    for (i = 0; i < verify->before.products; i++) {
        told = lp_told_product(verify->told, i)->redirects;
        state->clicks += verify->now.clicks[i];
        state->short_of |= verify->now.clicks[i]
                           < verify->before.clicks[i] + told;
    }
}
