/*
 * Engines are processes, because nothing that one does may cost another a
 * microsecond: no lock, no shared allocator. All that they share with us is
 * their score. One that is gone has left its score behind, and what it had
 * finished counts; that it is gone makes the result invalid.
 */

#include "engines.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../workers/say.h"
#include "child.h"
#include "machine.h"

static int
run_engine(void *owner)
{
    return lp_engine_run(owner) == 0 ? 0 : 1;
}

int
lp_engines_start(lp_engines_t *engines, const lp_engine_t *model, unsigned n)
{
    lp_engine_t          engine = *model;
    lp_engine_process_t *process;

    memset(engines, 0, sizeof(*engines));
    engines->sum = malloc(sizeof(*engines->sum));
    if (engines->sum == NULL) {
        lp_say("out of memory");
        return -1;
    }
    for (engines->n = 0; engines->n < n; engines->n++) {
        process = &engines->list[engines->n];
        process->score = lp_score_create();
        if (process->score == NULL) {
            lp_say("there is no memory for the score of an engine: %s",
                   strerror(errno));
            return -1;
        }
        /* Of every n-th click of the machine's own: whatever n is, so that
           machines with few and with many cores share a schedule. */
        engine.shard = model->shard + model->shards * engines->n;
        engine.shards = model->shards * n;
        engine.score = process->score;
        process->pid = lp_child_start(run_engine, &engine);
        if (process->pid == -1) {
            lp_say("an engine can't be started: %s", strerror(errno));
            process->pid = 0;
            engines->n++; /* its score is to be given back */
            return -1;
        }
        engines->punctual = lp_machine_punctual(process->pid, n);
    }
    return 0;
}

/* Keeps the first thing that went wrong. */
static void
trouble(lp_engines_t *engines, unsigned i, const char *what)
{
    if (engines->trouble[0] == '\0') {
        snprintf(engines->trouble, sizeof(engines->trouble),
                 "engine %u of %u: %s", i + 1, engines->n, what);
    }
}

/* One whose process is gone: with all its work done, or not. */
static void
explain_end(lp_engines_t *engines, unsigned i, int status)
{
    const lp_score_t *score = engines->list[i].score;
    char              what[160];
    int               error = atomic_load(&score->failed);

    if (error != 0) {
        lp_machine_explain(what, sizeof(what), error);
    } else if (WIFSIGNALED(status)) {
        snprintf(what, sizeof(what), "ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (!atomic_load(&score->ended) || WEXITSTATUS(status) != 0) {
        snprintf(what, sizeof(what), "ended before its work, with %d",
                 WEXITSTATUS(status));
    } else {
        return;
    }
    trouble(engines, i, what);
}

unsigned
lp_engines_watch(lp_engines_t *engines)
{
    lp_engine_process_t *process;
    unsigned             i, left = 0;
    int                  status = 0;

    for (i = 0; i < engines->n; i++) {
        process = &engines->list[i];
        if (process->pid != 0
            && waitpid(process->pid, &status, WNOHANG) == process->pid) {
            process->pid = 0;
            explain_end(engines, i, status);
        }
        left += process->pid != 0;
    }
    return left;
}

void
lp_engines_factor(lp_engines_t *engines, uint32_t thousandths)
{
    unsigned i;

    for (i = 0; i < engines->n; i++) {
        atomic_store(&engines->list[i].score->control.factor, thousandths);
    }
}

void
lp_engines_stop(lp_engines_t *engines, int how)
{
    unsigned i;

    for (i = 0; i < engines->n; i++) {
        atomic_store(&engines->list[i].score->control.stop, how);
    }
}

void
lp_engines_kill(lp_engines_t *engines)
{
    unsigned i;

    for (i = 0; i < engines->n; i++) {
        if (engines->list[i].pid != 0) {
            lp_child_kill(&engines->list[i].pid);
            trouble(engines, i, "did not end, and was killed");
        }
    }
}

/* The first second that not all engines have finished. One that is gone will
   finish nothing more: it holds nobody up. */
static int64_t
all_finished(const lp_engines_t *engines)
{
    int64_t  finished, least = INT64_MAX, most = 0;
    unsigned i;

    for (i = 0; i < engines->n; i++) {
        finished = atomic_load(&engines->list[i].score->finished);
        most = finished > most ? finished : most;
        if (engines->list[i].pid != 0 && finished < least) {
            least = finished;
        }
    }
    return least == INT64_MAX ? most : least;
}

/* Takes the next second. Returns 0 where an engine that finished it had no room
   for it, so long had nobody taken any. One that died on the way has only what
   it has. */
static int
take_second(lp_engines_t *engines)
{
    lp_second_t       *sum = engines->sum;
    const lp_score_t  *score;
    const lp_second_t *own;
    unsigned           i;
    int                whole = 1;

    memset(&sum->counts, 0, sizeof(sum->counts));
    lp_histogram_reset(&sum->latency.h, LP_COARSE);
    sum->second = engines->taken++;
    for (i = 0; i < engines->n; i++) {
        score = engines->list[i].score;
        own = &score->second[sum->second % LP_SCORE_SECONDS];
        if (own->second == sum->second) {
            lp_counts_add(&sum->counts, &own->counts);
            lp_histogram_add(&sum->latency.h, &own->latency.h);
        } else if (sum->second < atomic_load(&score->finished)) {
            whole = 0;
        }
    }
    for (i = 0; i < engines->n; i++) {
        atomic_store(&engines->list[i].score->taken, engines->taken);
    }
    return whole;
}

const lp_second_t *
lp_engines_second(lp_engines_t *engines)
{
    while (engines->taken < all_finished(engines)) {
        if (take_second(engines)) {
            return engines->sum;
        }
        engines->lost++;
    }
    return NULL;
}

void
lp_engines_totals(const lp_engines_t *engines, lp_result_t *result)
{
    unsigned i;

    for (i = 0; i < engines->n; i++) {
        lp_result_take(result, engines->list[i].score);
    }
}

int64_t
lp_engines_busiest(const lp_engines_t *engines)
{
    int64_t  cpu, most = 0;
    unsigned i;

    for (i = 0; i < engines->n; i++) {
        cpu = atomic_load(&engines->list[i].score->cpu_ns);
        most = cpu > most ? cpu : most;
    }
    return most;
}

void
lp_engines_free(lp_engines_t *engines)
{
    unsigned i;

    lp_engines_kill(engines);
    for (i = 0; i < engines->n; i++) {
        lp_score_destroy(engines->list[i].score);
    }
    free(engines->sum);
    memset(engines, 0, sizeof(*engines));
}
