/*
 * What an engine works with, put together and taken apart. The connections of
 * its plan are the engine's own: whoever starts several gives each its share.
 */

#include "rig.h"

#include <errno.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/resource.h>

#define SPARE_FDS 64 /* descriptors that are no connection */

static void take_plan(lp_rig_t *rig);
static int raise_limit(lp_rig_t *rig);


int
lp_rig_start(lp_rig_t *rig, const lp_engine_t *engine)
{
    memset(rig, 0, sizeof(*rig));
    rig->engine = engine;
    rig->score = engine->score;
    rig->epoll = -1;
    rig->shortage_seen = INT64_MIN;
    take_plan(rig);

    lp_slab_start(&rig->flights, sizeof(lp_flight_t));
    lp_slab_start(&rig->connections, sizeof(lp_connection_t));
    lp_slab_start(&rig->answers, sizeof(lp_answer_t));
    lp_queue_start(&rig->live);
    lp_queue_start(&rig->waiting);
    lp_queue_start(&rig->opening);
    lp_queue_start(&rig->gone);
    if (lp_pool_start(&rig->pool, rig->way.groups) != 0) {
        return ENOMEM;
    }

    if (raise_limit(rig) != 0) {
        return EMFILE;
    }
    rig->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (rig->epoll < 0) {
        return errno;
    }
    if (engine->aim->tls) {
        rig->way.tls = lp_tls_create(engine->aim);
        if (rig->way.tls == NULL) {
            return errno;
        }
    }
    return 0;
}


static void
take_plan(lp_rig_t *rig)
{
    const lp_plan_t *plan = rig->engine->plan;
    const lp_aim_t  *aim = rig->engine->aim;

    rig->connect_ns = (int64_t) (plan->connections.connect_s * 1e9);
    rig->answer_ns = (int64_t) (plan->connections.answer_s * 1e9);
    rig->idle_ns = (int64_t) (plan->connections.idle_s * 1e9);
    rig->hold = plan->connections.hold;
    rig->most = plan->connections.most;
    if (rig->most < rig->hold) {
        rig->most = rig->hold;
    }

    rig->way.aim = aim;
    rig->way.groups = 1;
    if (aim->loopback && aim->address.ss_family == AF_INET
        && plan->connections.addresses > 1)
    {
        rig->way.groups = plan->connections.addresses;
    }
}


/*
 * As many descriptors as the plan needs, or as there may be. With fewer than
 * are to be held the plan can't be run; with fewer than the most it can, and
 * whoever waits because of it is missed by the tool.
 */
static int
raise_limit(lp_rig_t *rig)
{
    struct rlimit limit, wish;
    rlim_t        need = (rlim_t) rig->most + SPARE_FDS;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) {
        return 0;
    }

    wish.rlim_cur = need;
    wish.rlim_max = limit.rlim_max < need ? need : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &wish) == 0) {
        return 0;
    }

    /* not without privileges: as far as allowed */
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur <= (rlim_t) rig->hold + SPARE_FDS) {
        return -1;
    }
    rig->most = (unsigned) (limit.rlim_cur - SPARE_FDS);
    rig->capped = 1;
    return 0;
}


void
lp_rig_end(lp_rig_t *rig)
{
    lp_tls_destroy(rig->way.tls);
    lp_pool_free(&rig->pool);
    lp_slab_free(&rig->answers);
    lp_slab_free(&rig->connections);
    lp_slab_free(&rig->flights);
    if (rig->epoll >= 0) {
        close(rig->epoll);
    }
}
