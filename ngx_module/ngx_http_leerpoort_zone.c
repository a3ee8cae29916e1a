/*
 * The zone: one stretch of shared memory that holds the ring of verified tokens
 * and mirrored hashes, the epoch, the workers' slots and the counters.
 *
 * One lock guards the ring. It is the slab pool's own, because nginx releases
 * that one when a worker dies with it; what the dead worker left half done is
 * found by the next holder (lp_ring_broken) and thrown away.
 *
 * A reload hands the zone on as it is. All that depends on the configuration
 * (which tokens count, how long a hash lives) is judged by the reader.
 */

#include "ngx_http_leerpoort_directives.h"

#include <openssl/rand.h>

#define NGX_HTTP_LEERPOORT_ZONE_MIN  (256 * 1024)

/* Changes whenever a structure in the zone does. */
#define NGX_HTTP_LEERPOORT_LAYOUT                                             \
    (0x4c50000000000002ULL                                                    \
     ^ ((uint64_t) sizeof(ngx_http_leerpoort_shared_t) << 16)                 \
     ^ ((uint64_t) sizeof(ngx_http_leerpoort_identity_t) << 40))

static ngx_int_t ngx_http_leerpoort_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_leerpoort_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_http_leerpoort_zone_t *zone);


/* leerpoort_zone name:size */
char *
ngx_http_leerpoort_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_main_conf_t *mcf = conf;

    u_char                    *p;
    ssize_t                    size;
    ngx_str_t                 *value, name, s;
    ngx_http_leerpoort_zone_t *zone;

    if (mcf->shm_zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');
    if (p == NULL || p == value[1].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leerpoort_zone\" must be \"name:size\", "
                           "as in \"leerpoort:64m\", not \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    name.data = value[1].data;
    name.len = p - value[1].data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);
    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of \"leerpoort_zone\"", &s);
        return NGX_CONF_ERROR;
    }

    if (size < NGX_HTTP_LEERPOORT_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leerpoort_zone\" \"%V\" is too small: "
                           "it takes at least 256k", &value[1]);
        return NGX_CONF_ERROR;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_leerpoort_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    mcf->shm_zone = ngx_shared_memory_add(cf, &name, size,
                                          &ngx_http_leerpoort_module);
    if (mcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    mcf->shm_zone->init = ngx_http_leerpoort_zone_init;
    mcf->shm_zone->data = zone;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_leerpoort_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_leerpoort_zone_t *zone, *old;

    zone = shm_zone->data;
    old = data;

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old) {
        zone->sh = old->sh;
        zone->ring = old->ring;

    } else if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        zone->ring = (lp_ring_t *) (zone->sh + 1);

    } else {
        return ngx_http_leerpoort_zone_create(shm_zone, zone);
    }

    if (zone->sh->layout != NGX_HTTP_LEERPOORT_LAYOUT) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "leerpoort_zone \"%V\" was made by another build of the "
                      "module: restart nginx instead of reloading it",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* One block takes all the pages that the slab pool has, less what it needs. */
static ngx_int_t
ngx_http_leerpoort_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_http_leerpoort_zone_t *zone)
{
    size_t    size;
    uint64_t  seed[2];

    if (RAND_bytes((u_char *) seed, sizeof(seed)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "leerpoort: OpenSSL gave no random bytes");
        return NGX_ERROR;
    }

    zone->shpool->log_nomem = 0;

    size = zone->shpool->pfree * ngx_pagesize;
    zone->sh = ngx_slab_alloc(zone->shpool, size);
    if (zone->sh == NULL) {
        return NGX_ERROR;
    }

    zone->shpool->data = zone->sh;

    ngx_memzero(zone->sh, sizeof(ngx_http_leerpoort_shared_t));
    zone->sh->layout = NGX_HTTP_LEERPOORT_LAYOUT;
    zone->sh->epoch = 1;

    zone->ring = lp_ring_init(zone->sh + 1,
                              size - sizeof(ngx_http_leerpoort_shared_t),
                              seed);

    return NGX_OK;
}


void
ngx_http_leerpoort_lock(ngx_http_leerpoort_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (lp_ring_broken(zone->ring)) {
        lp_ring_reset(zone->ring);
    }
}


void
ngx_http_leerpoort_unlock(ngx_http_leerpoort_zone_t *zone)
{
    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/* CLOCK_MONOTONIC in ns: the same for all processes of the machine. */
uint64_t
ngx_http_leerpoort_now_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
