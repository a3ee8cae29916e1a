/*
 * The keys of an issuer: a JWKS file, read with the configuration and again
 * when it changes.
 *
 * A worker looks at the files every fifth of a second, from its own timer. A
 * new document is read whole and checked before it replaces the old one; a
 * broken one is complained about once by all workers together, and the old keys
 * go on. The issuer's fingerprint changes with the document, so that cached
 * tokens have to be verified anew: a key that is gone counts no longer.
 */

#include "ngx_http_leerpoort.h"

#include <openssl/evp.h>

typedef struct {
    ngx_conf_t                      *cf;
    ngx_http_leerpoort_issuer_t     *issuer;
} ngx_http_leerpoort_refused_t;

static void ngx_http_leerpoort_jwks_refused(void *data, size_t index,
    const char *reason);
static void ngx_http_leerpoort_jwks_look(ngx_http_leerpoort_issuer_t *issuer,
    ngx_log_t *log);
static void ngx_http_leerpoort_jwks_replace(
    ngx_http_leerpoort_issuer_t *issuer, lp_span_t text, ngx_file_info_t *fi,
    ngx_log_t *log);
static void ngx_http_leerpoort_jwks_agree(ngx_http_leerpoort_issuer_t *issuer,
    ngx_uint_t changed, ngx_log_t *log);
static void ngx_http_leerpoort_jwks_complain(
    ngx_http_leerpoort_issuer_t *issuer, uint64_t print, const char *reason,
    ngx_log_t *log);
static void ngx_http_leerpoort_jwks_seen(ngx_http_leerpoort_issuer_t *issuer,
    ngx_file_info_t *fi);


/* Reads the keys when the configuration is. */
char *
ngx_http_leerpoort_jwks_load(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    size_t                         len;
    u_char                        *text;
    const char                    *reason;
    ngx_file_info_t                fi;
    ngx_http_leerpoort_refused_t   refused;

    text = ngx_http_leerpoort_read_file(cf->temp_pool, &issuer->jwks,
                                        LP_JWKS_TEXT_MAX, &len, &fi);
    if (text == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "can't read the JWKS file \"%V\" of "
                           "leerpoort_issuer \"%V\" (at most %d bytes)",
                           &issuer->jwks, &issuer->name, LP_JWKS_TEXT_MAX);
        return NGX_CONF_ERROR;
    }

    refused.cf = cf;
    refused.issuer = issuer;

    issuer->rules.keys = lp_jwks_parse((lp_span_t) { (char *) text, len },
                                       &issuer->rules.algs,
                                       ngx_http_leerpoort_jwks_refused,
                                       &refused, &reason);
    if (issuer->rules.keys == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no keys from the JWKS file \"%V\" of "
                           "leerpoort_issuer \"%V\": %s",
                           &issuer->jwks, &issuer->name, reason);
        return NGX_CONF_ERROR;
    }

    if (lp_jwks_has_secret(issuer->rules.keys)
        && (ngx_file_access(&fi) & 0077))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the JWKS file \"%V\" holds a secret and may be "
                           "read by others: chmod 0600", &issuer->jwks);
        return NGX_CONF_ERROR;
    }

    issuer->keys_print = ngx_http_leerpoort_print(text, len);
    issuer->seen_print = issuer->keys_print;
    ngx_http_leerpoort_jwks_seen(issuer, &fi);

    return NGX_CONF_OK;
}


static void
ngx_http_leerpoort_jwks_refused(void *data, size_t index, const char *reason)
{
    ngx_http_leerpoort_refused_t  *refused = data;

    ngx_conf_log_error(NGX_LOG_WARN, refused->cf, 0,
                       "key %uz of the JWKS file \"%V\" is left out: %s",
                       index + 1, &refused->issuer->jwks, reason);
}


/* Called from the worker's timer. */
void
ngx_http_leerpoort_jwks_refresh(ngx_http_leerpoort_main_conf_t *mcf,
    ngx_log_t *log)
{
    ngx_uint_t                    i;
    ngx_http_leerpoort_issuer_t  *issuer;

    issuer = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        ngx_http_leerpoort_jwks_look(&issuer[i], log);
    }
}


/*
 * Reads the file if it may have changed. A file that was written within the
 * last two seconds is read again in any case: its time may not change with a
 * second write.
 */
static void
ngx_http_leerpoort_jwks_look(ngx_http_leerpoort_issuer_t *issuer,
    ngx_log_t *log)
{
    size_t            len;
    u_char           *text;
    uint64_t          print;
    ngx_pool_t       *pool;
    ngx_file_info_t   fi;

    if (ngx_file_info(issuer->jwks.data, &fi) != NGX_FILE_ERROR
        && fi.st_mtim.tv_sec == issuer->mtime.tv_sec
        && fi.st_mtim.tv_nsec == issuer->mtime.tv_nsec
        && ngx_file_uniq(&fi) == issuer->uniq
        && ngx_file_size(&fi) == issuer->size
        && (fi.st_mtim.tv_sec + 2 < ngx_time()
            || fi.st_mtim.tv_sec > ngx_time()))
    {
        return;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return;
    }

    text = ngx_http_leerpoort_read_file(pool, &issuer->jwks, LP_JWKS_TEXT_MAX,
                                        &len, &fi);
    if (text == NULL) {
        ngx_http_leerpoort_jwks_complain(issuer, 1, "can't be read", log);

    } else {
        ngx_http_leerpoort_jwks_seen(issuer, &fi);
        print = ngx_http_leerpoort_print(text, len);

        if (print == issuer->keys_print) {
            issuer->seen_print = print;
            ngx_http_leerpoort_jwks_agree(issuer, 0, log);

        } else if (print != issuer->seen_print) {
            issuer->seen_print = print;
            ngx_http_leerpoort_jwks_replace(issuer,
                                  (lp_span_t) { (char *) text, len }, &fi,
                                  log);
        }
    }

    ngx_destroy_pool(pool);
}


static void
ngx_http_leerpoort_jwks_replace(ngx_http_leerpoort_issuer_t *issuer,
    lp_span_t text, ngx_file_info_t *fi, ngx_log_t *log)
{
    lp_jwks_t   *keys;
    const char  *reason;

    keys = lp_jwks_parse(text, &issuer->rules.algs, NULL, NULL, &reason);

    if (keys && lp_jwks_has_secret(keys) && (ngx_file_access(fi) & 0077)) {
        lp_jwks_free(keys);
        keys = NULL;
        reason = "It holds a secret and may be read by others.";
    }

    if (keys == NULL) {
        ngx_http_leerpoort_jwks_complain(issuer, issuer->seen_print, reason,
                                           log);
        return;
    }

    lp_jwks_free((lp_jwks_t *) issuer->rules.keys);
    issuer->rules.keys = keys;
    issuer->keys_print = issuer->seen_print;
    issuer->fingerprint = issuer->rules_print ^ issuer->keys_print;

    ngx_http_leerpoort_jwks_agree(issuer, 1, log);
    ngx_http_leerpoort_count(jwks_loaded);
}


/*
 * These keys are those of the file: the other workers have them or will.
 * changed: this worker has just read them; the first that has says so.
 */
static void
ngx_http_leerpoort_jwks_agree(ngx_http_leerpoort_issuer_t *issuer,
    ngx_uint_t changed, ngx_log_t *log)
{
    ngx_uint_t                      news;
    ngx_http_leerpoort_in_force_t  *in_force;

    issuer->doubtful = 0;
    in_force = &ngx_http_leerpoort_zone_here->sh->in_force[issuer->index];

    ngx_http_leerpoort_lock(ngx_http_leerpoort_zone_here);

    news = in_force->complained != 0
           || (changed && in_force->keys_print != issuer->keys_print);
    in_force->rules_print = issuer->rules_print;
    in_force->keys_print = issuer->keys_print;
    in_force->complained = 0;

    ngx_http_leerpoort_unlock(ngx_http_leerpoort_zone_here);

    if (news) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "leerpoort: the JWKS file \"%V\" of issuer \"%V\" has "
                      "been read, keys in it that may be used: %uz",
                      &issuer->jwks, &issuer->name,
                      lp_jwks_count(issuer->rules.keys));
    }
}


/*
 * The file is broken: said once for each document, by whichever worker is
 * first. This worker's keys go on, unless the others have had newer ones: a
 * worker that is started anew begins with those of the master, and a key that
 * was gone must not come back with them.
 */
static void
ngx_http_leerpoort_jwks_complain(ngx_http_leerpoort_issuer_t *issuer,
    uint64_t print, const char *reason, ngx_log_t *log)
{
    uint64_t                        before;
    ngx_http_leerpoort_in_force_t  *in_force;

    in_force = &ngx_http_leerpoort_zone_here->sh->in_force[issuer->index];

    ngx_http_leerpoort_lock(ngx_http_leerpoort_zone_here);

    before = in_force->complained;
    in_force->complained = print;
    issuer->doubtful = in_force->rules_print == issuer->rules_print
                       && in_force->keys_print != 0
                       && in_force->keys_print != issuer->keys_print;

    ngx_http_leerpoort_unlock(ngx_http_leerpoort_zone_here);

    if (before != print) {
        ngx_http_leerpoort_count(jwks_broken);
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "leerpoort: the JWKS file \"%V\" of issuer \"%V\" can't "
                      "be used any more (%s); the keys from before go on "
                      "counting: put a good file there",
                      &issuer->jwks, &issuer->name, reason);
    }
}


static void
ngx_http_leerpoort_jwks_seen(ngx_http_leerpoort_issuer_t *issuer,
    ngx_file_info_t *fi)
{
    issuer->uniq = ngx_file_uniq(fi);
    issuer->size = ngx_file_size(fi);
    issuer->mtime = fi->st_mtim;
}


/* The whole of a file of at most max bytes; NULL: not readable, or longer. */
u_char *
ngx_http_leerpoort_read_file(ngx_pool_t *pool, ngx_str_t *name, size_t max,
    size_t *len, ngx_file_info_t *fi)
{
    u_char    *text;
    size_t     size;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return NULL;
    }

    text = NULL;

    if (ngx_fd_info(fd, fi) == NGX_FILE_ERROR) {
        (void) ngx_close_file(fd);
        return NULL;
    }

    if (!ngx_is_file(fi)) {
        ngx_set_errno(ngx_is_dir(fi) ? EISDIR : EINVAL);

    } else if ((size_t) ngx_file_size(fi) > max) {
        ngx_set_errno(EFBIG);

    } else {
        size = ngx_file_size(fi);
        text = ngx_palloc(pool, size + 1);

        for (*len = 0; text && *len < size; *len += n) {
            n = read(fd, text + *len, size - *len);

            if (n < 0) {
                text = NULL;
                break;
            }
            if (n == 0) {
                break;
            }
        }
    }

    err = ngx_errno;
    (void) ngx_close_file(fd);
    ngx_set_errno(err);

    return text;
}


/* Eight bytes of SHA-256: equal for equal documents in every process. */
uint64_t
ngx_http_leerpoort_print(const void *bytes, size_t len)
{
    u_char    digest[EVP_MAX_MD_SIZE];
    uint64_t  print;

    if (EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL) != 1) {
        return (uint64_t) ngx_random(); /* equal to none: nothing is cached */
    }

    ngx_memcpy(&print, digest, sizeof(print));

    return print;
}
