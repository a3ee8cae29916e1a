/*
 * Sellers have no part in the clicks' schedule and must not delay it; and their
 * libcurl has no part in an engine.
 */

#include "seller_process.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../workers/say.h"
#include "child.h"

static int
work(void *owner)
{
    lp_sellers_t *sellers = owner;

    return lp_seller_run(sellers->options, sellers->plan,
                         sellers->population, sellers->start_ns,
                         sellers->score) == 0 ? 0 : 1;
}

int
lp_sellers_start(lp_sellers_t *sellers)
{
    if (sellers->options == NULL) {
        return 0;
    }
    sellers->score = lp_child_memory(sizeof(*sellers->score));
    if (sellers->score == NULL) {
        lp_say("there is no memory for the sellers' score: %s",
               strerror(errno));
        return -1;
    }
    lp_histogram_reset(&sellers->score->api.latency.h, LP_FINE);
    sellers->pid = lp_child_start(work, sellers);
    if (sellers->pid == -1) {
        lp_say("the sellers can't be started: %s", strerror(errno));
        sellers->pid = 0;
        return -1;
    }
    return 0;
}

void
lp_sellers_stop(lp_sellers_t *sellers)
{
    if (sellers->score != NULL) {
        atomic_store(&sellers->score->stop, 1);
    }
}

int
lp_sellers_ended(lp_sellers_t *sellers, int *failed)
{
    int status = 0;

    if (sellers->pid != 0
        && waitpid(sellers->pid, &status, WNOHANG) == sellers->pid) {
        sellers->pid = 0;
        *failed = status != 0;
    }
    return sellers->pid == 0;
}

void
lp_sellers_kill(lp_sellers_t *sellers)
{
    lp_child_kill(&sellers->pid);
}

void
lp_sellers_free(lp_sellers_t *sellers)
{
    lp_sellers_kill(sellers);
    if (sellers->score != NULL) {
        munmap(sellers->score, sizeof(*sellers->score));
        sellers->score = NULL;
    }
}
