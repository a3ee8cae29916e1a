/*
 * The epoch: from when on the mirror is complete, and who may believe it.
 *
 * Each nginx worker has an invalidation link on which Redis names every key
 * that changes. Whichever worker hears of a change first drops the key from
 * the mirror for all. So an entry is true as long as, since it was fetched, at
 * every moment at least one worker was listening and has heard all that was
 * said. The slots keep the books of that:
 *
 * NONE     the link is down: this worker neither reads nor stores.
 * ARMED    the link is up since armed_at: this worker hears of every change
 *          from then on, and may store what it fetches. What others stored
 *          earlier may have changed in between without anybody hearing.
 * TRUSTED  this worker may read everything of the epoch: either the epoch began
 *          when its link was up already, or a trusted worker has
 *          confirmed, by a heartbeat on its own link sent after armed_at, that
 *          it has heard all that was said until then. From then on
 *          this worker hears by itself.
 *
 * When no trusted worker is left (the last link went down, its worker died or
 * has stood still for long), the epoch rises: older entries are not
 * believed any more, and every worker whose link is up is trusted in the new
 * epoch, for it heard everything since before that began. A reload keeps the
 * epoch because new workers find a witness among the old ones.
 *
 * A dead worker is told by its pid and the time at which that process started,
 * so that a pid used again does not pass for it. A worker that stood still does
 * not trust itself until its next heartbeat has come back: see
 * ngx_http_leerpoort_slot_trusted(). (A machine that was suspended as a whole
 * can't tell; its connections to Redis will.)
 *
 * All of it happens under the lock of the zone, but for the worker's look at
 * its own slot on every click.
 */

#include "ngx_http_leerpoort.h"

/* A witness that has not answered for so long is not waited for. */
#define NGX_HTTP_LEERPOORT_WITNESS  (2000 * 1000000ULL) /* ns */

/* Trust ends this long after what was last confirmed: two heartbeats and their
   time-out (ngx_http_leerpoort_link.c). */
#define NGX_HTTP_LEERPOORT_LEASE    (3000 * 1000000ULL) /* ns */

static ngx_uint_t ngx_http_leerpoort_slot_alive(
    const ngx_http_leerpoort_slot_t *slot);
static uint64_t ngx_http_leerpoort_started(ngx_pid_t pid);
static void ngx_http_leerpoort_slot_bury(ngx_http_leerpoort_slot_t *slot);
static void ngx_http_leerpoort_epoch_check(ngx_http_leerpoort_zone_t *zone);

/* This worker's slot; NULL: none was free, and the mirror is not used. */
static ngx_http_leerpoort_slot_t  *ngx_http_leerpoort_slot;


void
ngx_http_leerpoort_slot_take(ngx_http_leerpoort_zone_t *zone)
{
    ngx_uint_t                  i;
    ngx_http_leerpoort_slot_t  *slot;

    ngx_http_leerpoort_slot_sweep(zone);

    ngx_http_leerpoort_lock(zone);

    for (i = 0; i < NGX_HTTP_LEERPOORT_SLOTS; i++) {
        slot = &zone->sh->slots[i];

        if (slot->pid == 0) {
            ngx_memzero(slot, sizeof(ngx_http_leerpoort_slot_t));
            slot->started = ngx_http_leerpoort_started(ngx_pid);
            slot->pid = ngx_pid;
            ngx_http_leerpoort_slot = slot;
            break;
        }
    }

    ngx_http_leerpoort_unlock(zone);

    if (ngx_http_leerpoort_slot == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "leerpoort: more than %d workers share the zone: "
                      "this one asks Redis on every click",
                      NGX_HTTP_LEERPOORT_SLOTS);
    }
}


void
ngx_http_leerpoort_slot_release(ngx_http_leerpoort_zone_t *zone)
{
    if (ngx_http_leerpoort_slot == NULL) {
        return;
    }

    ngx_http_leerpoort_slot_lost(zone);
    ngx_http_leerpoort_slot->pid = 0;
    ngx_http_leerpoort_slot = NULL;
}


/* For the metrics only. */
void
ngx_http_leerpoort_slot_redis(ngx_uint_t up)
{
    if (ngx_http_leerpoort_slot) {
        ngx_http_leerpoort_slot->redis_up = up;
    }
}


/* The link is up: Redis has agreed to name all changes from now on. */
void
ngx_http_leerpoort_slot_armed(ngx_http_leerpoort_zone_t *zone)
{
    if (ngx_http_leerpoort_slot == NULL) {
        return;
    }

    ngx_http_leerpoort_lock(zone);

    ngx_http_leerpoort_slot->armed_at = ngx_http_leerpoort_now_ns();
    ngx_http_leerpoort_slot->confirmed_at = ngx_http_leerpoort_slot->armed_at;
    ngx_http_leerpoort_slot->link = NGX_HTTP_LEERPOORT_LINK_ARMED;
    zone->sh->beat_wanted = ngx_http_leerpoort_slot->armed_at;

    ngx_http_leerpoort_unlock(zone);

    ngx_http_leerpoort_slot_sweep(zone);
}


/*
 * Everything that Redis said before `at` has been heard. A trusted worker
 * vouches for those that were armed by then.
 */
void
ngx_http_leerpoort_slot_confirmed(ngx_http_leerpoort_zone_t *zone, uint64_t at)
{
    ngx_uint_t                  i;
    ngx_http_leerpoort_slot_t  *slot;

    if (ngx_http_leerpoort_slot == NULL) {
        return;
    }

    ngx_http_leerpoort_lock(zone);

    ngx_http_leerpoort_slot->confirmed_at = at;

    for (i = 0; i < NGX_HTTP_LEERPOORT_SLOTS
                && ngx_http_leerpoort_slot->link
                   == NGX_HTTP_LEERPOORT_LINK_TRUSTED; i++)
    {
        slot = &zone->sh->slots[i];

        if (slot->link == NGX_HTTP_LEERPOORT_LINK_ARMED
            && slot->armed_at <= at)
        {
            slot->link = NGX_HTTP_LEERPOORT_LINK_TRUSTED;
        }
    }

    ngx_http_leerpoort_unlock(zone);
}


/* The link is down. */
void
ngx_http_leerpoort_slot_lost(ngx_http_leerpoort_zone_t *zone)
{
    if (ngx_http_leerpoort_slot == NULL
        || ngx_http_leerpoort_slot->link == NGX_HTTP_LEERPOORT_LINK_NONE)
    {
        return;
    }

    ngx_http_leerpoort_lock(zone);

    ngx_http_leerpoort_slot->link = NGX_HTTP_LEERPOORT_LINK_NONE;
    ngx_http_leerpoort_epoch_check(zone);

    ngx_http_leerpoort_unlock(zone);
}


/*
 * Looks for workers that died, and settles the epoch. The looking is done
 * without the lock: a slot that has been freed, or taken by another process,
 * in between is left alone.
 */
void
ngx_http_leerpoort_slot_sweep(ngx_http_leerpoort_zone_t *zone)
{
    ngx_uint_t                  i;
    ngx_http_leerpoort_slot_t  *slot, seen;

    for (i = 0; i < NGX_HTTP_LEERPOORT_SLOTS; i++) {
        slot = &zone->sh->slots[i];
        seen = *slot;

        if (seen.pid == 0 || slot == ngx_http_leerpoort_slot
            || ngx_http_leerpoort_slot_alive(&seen))
        {
            continue;
        }

        ngx_http_leerpoort_lock(zone);

        if (slot->pid == seen.pid && slot->started == seen.started) {
            ngx_http_leerpoort_slot_bury(slot);
        }

        ngx_http_leerpoort_unlock(zone);
    }

    ngx_http_leerpoort_lock(zone);
    ngx_http_leerpoort_epoch_check(zone);
    ngx_http_leerpoort_unlock(zone);
}


/* What a dead worker had in memory is counted before its slot is free. */
static void
ngx_http_leerpoort_slot_bury(ngx_http_leerpoort_slot_t *slot)
{
    (void) ngx_atomic_fetch_add(&ngx_http_leerpoort_counters->usage_lost,
                                slot->held.events);

    ngx_memzero(slot, sizeof(ngx_http_leerpoort_slot_t));
}


/* Where this worker says what usage it holds. */
ngx_http_leerpoort_held_t *
ngx_http_leerpoort_slot_held(void)
{
    static ngx_http_leerpoort_held_t  nobody_looks;

    return ngx_http_leerpoort_slot ? &ngx_http_leerpoort_slot->held
                                   : &nobody_looks;
}


/* What all workers hold together, as it was a moment ago. */
ngx_http_leerpoort_held_t
ngx_http_leerpoort_slots_held(ngx_http_leerpoort_zone_t *zone)
{
    ngx_uint_t                        i;
    ngx_http_leerpoort_held_t         sum;
    const ngx_http_leerpoort_slot_t  *slot;

    ngx_memzero(&sum, sizeof(ngx_http_leerpoort_held_t));

    for (i = 0; i < NGX_HTTP_LEERPOORT_SLOTS; i++) {
        slot = &zone->sh->slots[i];

        if (slot->pid) {
            sum.events += slot->held.events;
            sum.batches += slot->held.batches;
            sum.spool_bytes += slot->held.spool_bytes;
        }
    }

    return sum;
}


/*
 * May this worker read the mirror at `now`, CLOCK_MONOTONIC in ns? The caller
 * holds the lock. It is the clock and not the loop's own time that counts: a
 * worker that was stopped has, when it goes on, a click to answer before
 * it reads what its link has to say.
 */
ngx_uint_t
ngx_http_leerpoort_slot_trusted(uint64_t now)
{
    const ngx_http_leerpoort_slot_t  *slot;

    slot = ngx_http_leerpoort_slot;

    return slot != NULL && slot->link == NGX_HTTP_LEERPOORT_LINK_TRUSTED
           && now <= slot->confirmed_at + NGX_HTTP_LEERPOORT_LEASE;
}


/*
 * Raises the epoch when the last trusted worker is gone, and when a worker is
 * armed while there is none to learn from: one that is armed does not wait for
 * a trusted one that has stood still. The caller holds the lock.
 */
static void
ngx_http_leerpoort_epoch_check(ngx_http_leerpoort_zone_t *zone)
{
    uint64_t                    now;
    ngx_uint_t                  i, armed, trusted, awake;
    ngx_http_leerpoort_slot_t  *slot;

    now = ngx_http_leerpoort_now_ns();
    armed = 0;
    trusted = 0;
    awake = 0;

    for (i = 0; i < NGX_HTTP_LEERPOORT_SLOTS; i++) {
        slot = &zone->sh->slots[i];

        if (slot->link == NGX_HTTP_LEERPOORT_LINK_ARMED) {
            armed++;

        } else if (slot->link == NGX_HTTP_LEERPOORT_LINK_TRUSTED) {
            trusted++;
            awake += slot->confirmed_at + NGX_HTTP_LEERPOORT_WITNESS > now;
        }
    }

    if (trusted == 0 && zone->sh->covered) {
        zone->sh->covered = 0;
        zone->sh->epoch++;
    }

    if (armed == 0 || awake > 0) {
        return;
    }

    zone->sh->covered = 1;
    zone->sh->epoch++;

    for (i = 0; i < NGX_HTTP_LEERPOORT_SLOTS; i++) {
        slot = &zone->sh->slots[i];

        if (slot->link == NGX_HTTP_LEERPOORT_LINK_ARMED) {
            slot->link = NGX_HTTP_LEERPOORT_LINK_TRUSTED;
        }
    }
}


static ngx_uint_t
ngx_http_leerpoort_slot_alive(const ngx_http_leerpoort_slot_t *slot)
{
    uint64_t  started;

    if (kill(slot->pid, 0) == -1 && ngx_errno == NGX_ESRCH) {
        return 0;
    }

    started = ngx_http_leerpoort_started(slot->pid);

    return started == 0 || slot->started == 0 || started == slot->started;
}


/*
 * When a process was started, in clock ticks since boot: field 22 of
 * /proc/<pid>/stat (proc(5)), which follows the last ')'. 0: not known.
 */
static uint64_t
ngx_http_leerpoort_started(ngx_pid_t pid)
{
    char        path[sizeof("/proc//stat") + NGX_INT64_LEN];
    char        text[512], *p;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_uint_t  field;

    (void) ngx_sprintf((u_char *) path, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = read(fd, text, sizeof(text) - 1);
    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';

    p = strrchr(text, ')');
    for (field = 2; p != NULL && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }

    return p != NULL ? strtoull(p + 1, NULL, 10) : 0;
}
