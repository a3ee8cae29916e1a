/*
 * Issuers of tokens: the leerpoort_issuer block and the pepper, as they are
 * configured. An issuer's fingerprint stands for all that makes a token of it
 * valid; its keys have a file of their own (ngx_http_leerpoort_jwks.c).
 */

#include "ngx_http_leerpoort_directives.h"

#define NGX_HTTP_LEERPOORT_LEEWAY      60                /* s */
#define NGX_HTTP_LEERPOORT_LEEWAY_MAX  (60 * 60)         /* s */
#define NGX_HTTP_LEERPOORT_AGE_MAX     (366 * 24 * 3600) /* s */

typedef struct {
    const char  *name;
    char       *(*set)(ngx_conf_t *cf, ngx_http_leerpoort_issuer_t *issuer);
    ngx_uint_t   args_min;
    ngx_uint_t   args_max;
} ngx_http_leerpoort_setting_t;

static char *ngx_http_leerpoort_issuer_line(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_leerpoort_issuer_done(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_iss(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_jwks(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_audience(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_algorithms(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_user(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_school(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_employee(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_leeway(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_max_age(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer);
static char *ngx_http_leerpoort_set_claim(ngx_conf_t *cf, lp_claim_t *claims,
    unsigned *n);
static char *ngx_http_leerpoort_set_seconds(ngx_conf_t *cf, int64_t *seconds,
    time_t longest);
static void ngx_http_leerpoort_issuer_free(void *data);

static const ngx_http_leerpoort_setting_t  ngx_http_leerpoort_settings[] = {
    { "issuer", ngx_http_leerpoort_set_iss, 1, 1 },
    { "jwks", ngx_http_leerpoort_set_jwks, 1, 1 },
    { "audience", ngx_http_leerpoort_set_audience, 1, LP_ISSUER_AUDIENCES },
    { "algorithms", ngx_http_leerpoort_set_algorithms, 1, LP_ALGS },
    { "user", ngx_http_leerpoort_set_user, 2, 2 },
    { "school", ngx_http_leerpoort_set_school, 2, 2 },
    { "employee", ngx_http_leerpoort_set_employee, 2,
      1 + LP_ISSUER_EMPLOYEES },
    { "leeway", ngx_http_leerpoort_set_leeway, 1, 1 },
    { "max_age", ngx_http_leerpoort_set_max_age, 1, 1 },
    { NULL, NULL, 0, 0 }
};


/* leerpoort_issuer name { ... } */
char *
ngx_http_leerpoort_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_main_conf_t *mcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_conf_t                    save;
    ngx_pool_cleanup_t           *cln;
    ngx_http_leerpoort_issuer_t  *issuer;

    value = cf->args->elts;
    issuer = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (issuer[i].name.len == value[1].len
            && ngx_strncmp(issuer[i].name.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate leerpoort_issuer \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (mcf->issuers.nelts == NGX_HTTP_LEERPOORT_ISSUERS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d leerpoort_issuer blocks",
                           NGX_HTTP_LEERPOORT_ISSUERS);
        return NGX_CONF_ERROR;
    }

    issuer = ngx_array_push(&mcf->issuers);
    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (issuer == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(issuer, sizeof(ngx_http_leerpoort_issuer_t));
    issuer->name = value[1];
    issuer->index = mcf->issuers.nelts - 1;
    issuer->rules.leeway = -1;
    issuer->rules.max_age = -1;
    issuer->own = value[1].len == sizeof("leerpoort") - 1
                  && ngx_strncmp(value[1].data, "leerpoort", value[1].len)
                     == 0;

    cln->handler = ngx_http_leerpoort_issuer_free;
    cln->data = issuer;

    save = *cf;
    cf->handler = ngx_http_leerpoort_issuer_line;
    cf->handler_conf = (void *) issuer;
    rv = ngx_conf_parse(cf, NULL);
    *cf = save;

    return rv == NGX_CONF_OK ? ngx_http_leerpoort_issuer_done(cf, issuer) : rv;
}


static char *
ngx_http_leerpoort_issuer_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_str_t                           *value;
    ngx_uint_t                           n;
    const ngx_http_leerpoort_setting_t  *setting;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    for (setting = ngx_http_leerpoort_settings; setting->name; setting++) {

        if (ngx_strcmp(value[0].data, setting->name) != 0) {
            continue;
        }

        if (n < setting->args_min || n > setting->args_max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\" of "
                               "leerpoort_issuer", &value[0]);
            return NGX_CONF_ERROR;
        }

        return setting->set(cf, conf);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown setting \"%V\" in leerpoort_issuer: it knows "
                       "issuer, jwks, audience, algorithms, user, school, "
                       "employee, leeway and max_age", &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_leerpoort_issuer_done(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    const char  *missing;

    missing = issuer->rules.iss.data == NULL ? "issuer"
              : issuer->jwks.data == NULL ? "jwks"
              : issuer->rules.n_audiences == 0 ? "audience" : NULL;

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"%s\" in leerpoort_issuer \"%V\"",
                           missing, &issuer->name);
        return NGX_CONF_ERROR;
    }

    /* one without "user" is for leerpoort_auth, which may follow */
    issuer->file = cf->conf_file->file.name;
    issuer->line = cf->conf_file->line;

    if (issuer->rules.algs.n == 0) {
        issuer->rules.algs = lp_algs_token;
    }

    if (issuer->rules.leeway == -1) {
        issuer->rules.leeway = NGX_HTTP_LEERPOORT_LEEWAY;
    }

    if (issuer->rules.max_age == -1) {
        issuer->rules.max_age = 0;
    }

    return ngx_http_leerpoort_jwks_load(cf, issuer);
}


static char *
ngx_http_leerpoort_set_iss(ngx_conf_t *cf, ngx_http_leerpoort_issuer_t *issuer)
{
    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_leerpoort_issuer_t     *other;
    ngx_http_leerpoort_main_conf_t  *mcf;

    value = cf->args->elts;

    if (issuer->rules.iss.data || value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate or empty \"issuer\" in leerpoort_issuer "
                           "\"%V\"", &issuer->name);
        return NGX_CONF_ERROR;
    }

    issuer->rules.iss = ngx_http_leerpoort_span(&value[1]);

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leerpoort_module);
    other = mcf->issuers.elts;

    for (i = 0; i < issuer->index; i++) {
        if (lp_span_equal(other[i].rules.iss, issuer->rules.iss)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate issuer \"%V\": leerpoort_issuer "
                               "\"%V\" has it already", &value[1],
                               &other[i].name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_set_jwks(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (issuer->jwks.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"jwks\" in leerpoort_issuer \"%V\"",
                           &issuer->name);
        return NGX_CONF_ERROR;
    }

    issuer->jwks = value[1];

    if (ngx_conf_full_name(cf->cycle, &issuer->jwks, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_set_audience(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (issuer->rules.n_audiences == LP_ISSUER_AUDIENCES) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "more than %d audiences in leerpoort_issuer "
                               "\"%V\"", LP_ISSUER_AUDIENCES, &issuer->name);
            return NGX_CONF_ERROR;
        }

        issuer->rules.audiences[issuer->rules.n_audiences++] =
                                           ngx_http_leerpoort_span(&value[i]);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_set_algorithms(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    lp_alg_t     alg;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        alg = lp_alg_find(ngx_http_leerpoort_span(&value[i]));

        if (alg == LP_ALG_HS256 && !issuer->own) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "HS256 is only for Leerpoort's own sessions: "
                               "leerpoort_issuer \"leerpoort\", not \"%V\"",
                               &issuer->name);
            return NGX_CONF_ERROR;
        }

        if (alg != LP_ALG_HS256 && !lp_algs_has(&lp_algs_token, alg)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown algorithm \"%V\" in leerpoort_issuer: "
                               "it knows RS256, RS384, RS512, PS256, PS384, "
                               "PS512, ES256, ES384, EdDSA", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (lp_algs_add(&issuer->rules.algs, alg) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate algorithm \"%V\" in "
                               "leerpoort_issuer", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_set_user(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    return ngx_http_leerpoort_set_claim(cf, issuer->rules.users,
                                        &issuer->rules.n_users);
}


static char *
ngx_http_leerpoort_set_school(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    size_t       i;
    ngx_str_t   *value;

    static const char  *const  types[] = {
        "MASTER", "OIE_CODE", "BP_ID", "DD_ID", "AS_ID", "V_ID"
    };

    value = cf->args->elts;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (ngx_strcmp(value[2].data, types[i]) == 0) {
            return ngx_http_leerpoort_set_claim(cf, issuer->rules.schools,
                                                &issuer->rules.n_schools);
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown id type \"%V\" of a school: it is one of "
                       "MASTER, OIE_CODE, BP_ID, DD_ID, AS_ID, V_ID",
                       &value[2]);

    return NGX_CONF_ERROR;
}


/* claim idType */
static char *
ngx_http_leerpoort_set_claim(ngx_conf_t *cf, lp_claim_t *claims, unsigned *n)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (*n == LP_ISSUER_CLAIMS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d \"%V\" claims in leerpoort_issuer",
                           LP_ISSUER_CLAIMS, &value[0]);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < value[2].len; i++) {
        if (!(isalnum(value[2].data[i]) || value[2].data[i] == '_')) {
            break;
        }
    }

    if (value[1].len == 0 || i < value[2].len || i == 0 || i > LP_ID_TYPE_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be a claim and the type of its id, "
                           "1 to %d letters, digits and \"_\": not \"%V %V\"",
                           &value[0], LP_ID_TYPE_MAX, &value[1], &value[2]);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < *n; i++) {
        if (lp_span_equal(claims[i].claim,
                          ngx_http_leerpoort_span(&value[1]))
            && lp_span_equal(claims[i].id_type,
                             ngx_http_leerpoort_span(&value[2])))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate claim \"%V\" in \"%V\" of "
                               "leerpoort_issuer", &value[1], &value[0]);
            return NGX_CONF_ERROR;
        }
    }

    claims[*n].claim = ngx_http_leerpoort_span(&value[1]);
    claims[*n].id_type = ngx_http_leerpoort_span(&value[2]);
    (*n)++;

    return NGX_CONF_OK;
}


/* claim value... */
static char *
ngx_http_leerpoort_set_employee(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    lp_mark_t    mark;
    unsigned     j;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;
    mark.claim = ngx_http_leerpoort_span(&value[1]);

    for (i = 2; i < cf->args->nelts; i++) {

        mark.value = ngx_http_leerpoort_span(&value[i]);

        for (j = 0; j < issuer->rules.n_employees; j++) {
            if (lp_span_equal(issuer->rules.employees[j].claim, mark.claim)
                && lp_span_equal(issuer->rules.employees[j].value,
                                 mark.value))
            {
                break;
            }
        }

        if (mark.claim.len == 0 || mark.value.len == 0
            || j < issuer->rules.n_employees)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate or empty \"employee\" \"%V\" in "
                               "leerpoort_issuer \"%V\"", &value[i],
                               &issuer->name);
            return NGX_CONF_ERROR;
        }

        if (j == LP_ISSUER_EMPLOYEES) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "more than %d values of \"employee\" in "
                               "leerpoort_issuer \"%V\"",
                               LP_ISSUER_EMPLOYEES, &issuer->name);
            return NGX_CONF_ERROR;
        }

        issuer->rules.employees[issuer->rules.n_employees++] = mark;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_set_leeway(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    return ngx_http_leerpoort_set_seconds(cf, &issuer->rules.leeway,
                                          NGX_HTTP_LEERPOORT_LEEWAY_MAX);
}


static char *
ngx_http_leerpoort_set_max_age(ngx_conf_t *cf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    return ngx_http_leerpoort_set_seconds(cf, &issuer->rules.max_age,
                                          NGX_HTTP_LEERPOORT_AGE_MAX);
}


static char *
ngx_http_leerpoort_set_seconds(ngx_conf_t *cf, int64_t *seconds,
    time_t longest)
{
    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (*seconds != -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in leerpoort_issuer",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    n = ngx_parse_time(&value[1], 1);
    if (n == NGX_ERROR || n > longest) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" of \"%V\" in "
                           "leerpoort_issuer: at most %T seconds", &value[1],
                           &value[0], longest);
        return NGX_CONF_ERROR;
    }

    *seconds = n;

    return NGX_CONF_OK;
}


static void
ngx_http_leerpoort_issuer_free(void *data)
{
    ngx_http_leerpoort_issuer_t  *issuer = data;

    lp_jwks_free((lp_jwks_t *) issuer->rules.keys);
    issuer->rules.keys = NULL;
}


/*
 * Completes the fingerprints, when everything is configured. Anything that
 * would make another judgement of a token changes them.
 */
void
ngx_http_leerpoort_issuer_print(ngx_http_leerpoort_main_conf_t *mcf)
{
    unsigned                      j;
    uint64_t                      print[2];
    ngx_uint_t                    i;
    lp_issuer_t                  *rules;
    ngx_http_leerpoort_issuer_t  *issuer;

#define ngx_http_leerpoort_mix(bytes, n)                                      \
    print[1] = ngx_http_leerpoort_print(bytes, n);                            \
    print[0] = ngx_http_leerpoort_print(print, sizeof(print))

    issuer = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        rules = &issuer[i].rules;
        print[0] = mcf->pepper_print;

        ngx_http_leerpoort_mix(rules->iss.data, rules->iss.len);
        ngx_http_leerpoort_mix(rules->algs.list,
                               rules->algs.n * sizeof(lp_alg_t));
        ngx_http_leerpoort_mix(&rules->leeway, sizeof(rules->leeway));
        ngx_http_leerpoort_mix(&rules->max_age, sizeof(rules->max_age));
        ngx_http_leerpoort_mix(&rules->n_audiences,
                               sizeof(rules->n_audiences));
        ngx_http_leerpoort_mix(&rules->n_users, sizeof(rules->n_users));

        for (j = 0; j < rules->n_audiences; j++) {
            ngx_http_leerpoort_mix(rules->audiences[j].data,
                                   rules->audiences[j].len);
        }

        for (j = 0; j < rules->n_users; j++) {
            ngx_http_leerpoort_mix(rules->users[j].claim.data,
                                   rules->users[j].claim.len);
            ngx_http_leerpoort_mix(rules->users[j].id_type.data,
                                   rules->users[j].id_type.len);
        }

        for (j = 0; j < rules->n_employees; j++) {
            ngx_http_leerpoort_mix("employee", sizeof("employee"));
            ngx_http_leerpoort_mix(rules->employees[j].claim.data,
                                   rules->employees[j].claim.len);
            ngx_http_leerpoort_mix(rules->employees[j].value.data,
                                   rules->employees[j].value.len);
        }

        for (j = 0; j < rules->n_schools; j++) {
            ngx_http_leerpoort_mix(rules->schools[j].claim.data,
                                   rules->schools[j].claim.len);
            ngx_http_leerpoort_mix(rules->schools[j].id_type.data,
                                   rules->schools[j].id_type.len);
        }

        issuer[i].rules_print = print[0];
        issuer[i].fingerprint = issuer[i].rules_print ^ issuer[i].keys_print;
    }
}


/* leerpoort_pepper file */
char *
ngx_http_leerpoort_pepper(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_main_conf_t *mcf = conf;

    size_t               len;
    u_char              *bytes;
    ngx_str_t            name, *value;
    ngx_file_info_t      fi;
    ngx_pool_cleanup_t  *cln;

    if (mcf->pepper) {
        return "is duplicate";
    }

    value = cf->args->elts;
    name = value[1];

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL || ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    bytes = ngx_http_leerpoort_read_file(cf->temp_pool, &name, 4096, &len,
                                         &fi);
    if (bytes == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "can't read the pepper file \"%V\" (at most 4096 "
                           "bytes)", &name);
        return NGX_CONF_ERROR;
    }

    if (ngx_file_access(&fi) & 0077) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the pepper file \"%V\" may be read by others: "
                           "chmod 0600", &name);
        return NGX_CONF_ERROR;
    }

    mcf->pepper = lp_pepper_create((lp_span_t) { (char *) bytes, len });
    mcf->pepper_print = ngx_http_leerpoort_print(bytes, len);
    ngx_memzero(bytes, len);

    if (mcf->pepper == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the pepper file \"%V\" is empty: put 32 random "
                           "bytes there", &name);
        return NGX_CONF_ERROR;
    }

    if (len < 16) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the pepper in \"%V\" is shorter than 16 bytes and "
                           "might be guessed", &name);
    }

    cln->handler = (ngx_pool_cleanup_pt) lp_pepper_destroy;
    cln->data = mcf->pepper;

    return NGX_CONF_OK;
}
