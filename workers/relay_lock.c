/*
 * The lock is not what keeps messages single, WATCH is: between a look at the
 * clock and a write a process may sleep for ever. The lock's life only says how
 * long the others wait for one that died.
 */

#include "relay_lock.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <time.h>

#define NAME_BYTES (LP_RELAY_NAME_LEN / 2)
#define DIGITS_MAX 24

int64_t
lp_relay_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
lp_relay_lock_init(lp_relay_lock_t *lock, lp_store_t *store, int64_t life_ms)
{
    unsigned char bytes[NAME_BYTES];
    unsigned      i;

    if (RAND_bytes(bytes, NAME_BYTES) != 1) {
        return -1;
    }
    for (i = 0; i < NAME_BYTES; i++) {
        snprintf(lock->name + (size_t) 2 * i, 3, "%02x", bytes[i]);
    }
    lock->store = store;
    lock->life_ms = life_ms;
    lock->renew_at = 0;
    return 0;
}

static lp_span_t
name_of(const lp_relay_lock_t *lock)
{
    return (lp_span_t) {lock->name, LP_RELAY_NAME_LEN};
}

static lp_span_t
life_of(const lp_relay_lock_t *lock, char *digits)
{
    snprintf(digits, DIGITS_MAX, "%" PRId64, lock->life_ms);
    return lp_span_of(digits);
}

lp_relay_lock_status_t
lp_relay_lock_take(lp_relay_lock_t *lock)
{
    char              life[DIGITS_MAX];
    const redisReply *reply;
    int64_t           asked = lp_relay_clock();

    reply = lp_store_ask(lock->store,
                         LP_WORDS(lp_span("SET"), lp_span(LP_RELAY_LOCK),
                                  name_of(lock), lp_span("NX"), lp_span("PX"),
                                  life_of(lock, life)));
    if (reply == NULL) {
        return LP_LOCK_FAILED;
    }
    if (reply->type != REDIS_REPLY_STATUS) {
        /* one of ours whose answer was lost on the way is ours too */
        return lp_relay_lock_watch(lock) == LP_LOCK_HELD
                   ? (lp_store_unwatch(lock->store), LP_LOCK_HELD)
                   : LP_LOCK_OTHERS;
    }
    lock->renew_at = asked + lock->life_ms / 3;
    return LP_LOCK_HELD;
}

void
lp_relay_lock_add(lp_relay_lock_t *lock)
{
    lp_store_add(lock->store,
                 LP_WORDS(lp_span("WATCH"), lp_span(LP_RELAY_LOCK)));
    lp_store_add(lock->store,
                 LP_WORDS(lp_span("GET"), lp_span(LP_RELAY_LOCK)));
}

int
lp_relay_lock_is_ours(const lp_relay_lock_t *lock)
{
    return lp_span_equal(lp_store_text(lp_store_reply(lock->store, 1)),
                         name_of(lock));
}

lp_relay_lock_status_t
lp_relay_lock_watch(lp_relay_lock_t *lock)
{
    lp_relay_lock_add(lock);
    if (lp_store_run(lock->store) != LP_STORE_OK) {
        return LP_LOCK_FAILED;
    }
    if (!lp_relay_lock_is_ours(lock)) {
        lp_store_unwatch(lock->store);
        return LP_LOCK_OTHERS;
    }
    return LP_LOCK_HELD;
}

lp_relay_lock_status_t
lp_relay_lock_commit(lp_relay_lock_t *lock)
{
    switch (lp_store_commit(lock->store)) {
    case LP_STORE_OK:
        return LP_LOCK_HELD;
    case LP_STORE_CONFLICT:
        return LP_LOCK_OTHERS;
    default:
        return LP_LOCK_FAILED;
    }
}

lp_relay_lock_status_t
lp_relay_lock_keep(lp_relay_lock_t *lock)
{
    char                   life[DIGITS_MAX];
    int64_t                now = lp_relay_clock();
    lp_relay_lock_status_t status;

    if (now < lock->renew_at) {
        return LP_LOCK_HELD;
    }
    status = lp_relay_lock_watch(lock);
    if (status != LP_LOCK_HELD) {
        return status;
    }
    lp_store_begin(lock->store);
    lp_store_add(lock->store,
                 LP_WORDS(lp_span("PEXPIRE"), lp_span(LP_RELAY_LOCK),
                          life_of(lock, life)));
    status = lp_relay_lock_commit(lock);
    if (status == LP_LOCK_HELD) {
        lock->renew_at = now + lock->life_ms / 3;
    }
    return status;
}

void
lp_relay_lock_drop(lp_relay_lock_t *lock)
{
    if (lp_relay_lock_watch(lock) != LP_LOCK_HELD) {
        return;
    }
    lp_store_begin(lock->store);
    lp_store_add(lock->store,
                 LP_WORDS(lp_span("DEL"), lp_span(LP_RELAY_LOCK)));
    (void) lp_store_commit(lock->store);
}
