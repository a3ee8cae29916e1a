/*
 * The parent waits and tells; it alone hears Ctrl-C. Its children go on until
 * the token in hand is whole, and they do not outlive it.
 */

#include "mint_jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../workers/say.h"
#include "child.h"
#include "issuer.h"
#include "meter.h"

#define TAKEN   64  /* slots at once: little to lose, and seldom asked for */
#define LOOK_NS 200000000 /* between two looks at how far it is */

/* Between the processes. */
typedef struct {
    _Atomic uint32_t next;   /* slots before it are somebody's */
    _Atomic uint32_t minted;
    _Atomic int      stop;
} share_t;

typedef struct {
    const lp_mint_jobs_t *jobs;
    share_t  *share;
    sigset_t  awaited; /* SIGCHLD and what ends us */
    sigset_t  before;  /* what was blocked */
    unsigned  running;
    int       stopped; /* by a signal */
    int       failed;  /* a process ended as it should not */
    uint32_t  found;   /* slots that were full already */
} watch_t;

/* A child's. */

static int
mint_one(const lp_mint_jobs_t *jobs, share_t *share, uint32_t slot)
{
    char   token[LP_LOAD_TOKEN_MAX];
    size_t len;

    if (lp_token_file_get(jobs->file, slot).len > 0) {
        return 0;
    }
    len = jobs->mint(jobs->owner, slot, &jobs->file->head, token);
    if (len == 0 || len + sizeof(uint16_t) > jobs->file->head.slot_size) {
        return -1;
    }
    lp_token_file_put(jobs->file, slot, (lp_span_t) {token, len});
    atomic_fetch_add_explicit(&share->minted, 1, memory_order_relaxed);
    return 0;
}

/* Returns the exit code. */
static int
mint_some(const lp_mint_jobs_t *jobs, share_t *share)
{
    uint32_t slots = jobs->file->head.slots, slot, end;

    while ((slot = atomic_fetch_add(&share->next, TAKEN)) < slots) {
        end = slots - slot < TAKEN ? slots : slot + TAKEN;
        for (; slot < end; slot++) {
            if (atomic_load_explicit(&share->stop, memory_order_relaxed)) {
                return 0;
            }
            if (mint_one(jobs, share, slot) != 0) {
                return 1;
            }
        }
    }
    return 0;
}

static void
start_jobs(watch_t *watch)
{
    pid_t    pid, parent = getpid();
    unsigned i;

    for (i = 0; i < watch->jobs->n; i++) {
        pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(getppid() == parent
                      ? mint_some(watch->jobs, watch->share)
                      : 1);
        }
        if (pid == -1) {
            lp_say("only %u of %u processes could be made: %s", i,
                   watch->jobs->n, strerror(errno));
            break;
        }
        watch->running++;
    }
}

/* The parent's. */

static void
bury(watch_t *watch)
{
    int status;

    while (watch->running > 0 && waitpid(-1, &status, WNOHANG) > 0) {
        watch->running--;
        if (WIFSIGNALED(status)) {
            watch->failed = 1;
            lp_say("a process that minted was ended by signal %d",
                   WTERMSIG(status));
        } else if (WEXITSTATUS(status) != 0) {
            watch->failed = 1;
            lp_say("OpenSSL could not sign: are the keys whole?");
        }
    }
}

static void
await(watch_t *watch)
{
    const struct timespec look = {0, LOOK_NS};
    lp_meter_t            meter;
    int                   number;

    lp_meter_begin(&meter, watch->jobs->what, watch->found,
                   watch->jobs->file->head.slots);
    while (watch->running > 0) {
        number = sigtimedwait(&watch->awaited, NULL, &look);
        if (number > 0 && number != SIGCHLD) {
            watch->stopped = 1;
            atomic_store(&watch->share->stop, 1);
        }
        bury(watch);
        lp_meter_show(&meter, watch->found
                                  + atomic_load(&watch->share->minted));
    }
    (void) lp_meter_end(&meter);
}

/*
 * Signals are blocked, not caught: children are born with them blocked, so
 * that Ctrl-C, which reaches all of a terminal's processes, ends none of them
 * with half a token in hand.
 */
static void
hold_signals(watch_t *watch)
{
    sigemptyset(&watch->awaited);
    sigaddset(&watch->awaited, SIGCHLD);
    sigaddset(&watch->awaited, SIGINT);
    sigaddset(&watch->awaited, SIGTERM);
    sigaddset(&watch->awaited, SIGHUP);
    sigprocmask(SIG_BLOCK, &watch->awaited, &watch->before);
}

static int
conclude(const watch_t *watch)
{
    uint32_t slots = watch->jobs->file->head.slots;
    uint32_t done = lp_token_file_count(watch->jobs->file);

    if (done == slots) {
        return LP_YES;
    }
    if (watch->stopped || watch->failed) {
        lp_say("broken off: %" PRIu32 " of %" PRIu32 " %s are minted; the same"
               " command goes on with the rest", done, slots,
               watch->jobs->what);
    } else {
        lp_say("no process could be made to mint %s", watch->jobs->what);
    }
    return LP_NO;
}

int
lp_mint_jobs(const lp_mint_jobs_t *jobs)
{
    watch_t watch = {.jobs = jobs};
    int     rc;

    watch.share = lp_child_memory(sizeof(*watch.share));
    if (watch.share == NULL) {
        lp_say("out of memory");
        return LP_NO;
    }
    watch.found = lp_token_file_count(jobs->file);
    if (watch.found > 0) {
        fprintf(stderr, "%" PRIu32 " %s are there already\n", watch.found,
                jobs->what);
    }
    hold_signals(&watch);
    start_jobs(&watch);
    await(&watch);
    sigprocmask(SIG_SETMASK, &watch.before, NULL);
    rc = conclude(&watch);
    munmap(watch.share, sizeof(*watch.share));
    return rc;
}
