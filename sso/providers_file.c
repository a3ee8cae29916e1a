/*
 * The schema of sso.json (docs/sso.md). Texts stay where the JSON reader put
 * them; names of files and lists are allocated here.
 */

#include "providers_file.h"

#include <stdlib.h>

#include "../core/chars.h"
#include "../core/keys.h"
#include "mapping_file.h"

#define LEEWAY     60 /* seconds */
#define LEEWAY_MAX 300
#define DAY        86400
#define AGE_DIGITS 9

#define TOKEN_LIFE   900   /* seconds: what a stolen token is good for */
#define SESSION_LIFE 28800 /* a school day */
#define PER_MINUTE   20000

static int is_issuer(lp_span_t text);
static int is_scope(lp_span_t text);
static int is_prefix(lp_span_t text);

#define AN_URL      LP_CONF_TEXT, lp_conf_is_url,                              \
                    "an https:// URL (http:// only to loopback)"
#define AN_ENDPOINT LP_CONF_TEXT, lp_conf_is_endpoint,                         \
                    "an https:// URL (http:// only to loopback)"
#define A_NAME      LP_CONF_TEXT, lp_conf_is_name,                             \
                    "visible ASCII without quotes"
#define A_SCHOOL    LP_CONF_TEXT, lp_school_valid,                             \
                    "a school's master identifier ([A-Za-z0-9_.-])"
#define SECONDS     LP_CONF_SECONDS, NULL, NULL
#define A_FLAG      LP_CONF_FLAG, NULL, NULL
#define A_FILE      LP_CONF_FILE, NULL, NULL
#define OTHER       LP_CONF_ELSE, NULL, NULL, 0, 0, 0, 0

#define OF_SITE(field)     offsetof(lp_sites_t, field)
#define OF_PROVIDER(field) offsetof(lp_provider_t, field)

static const lp_conf_member_t site_members[] = {
    {"publicUrl", AN_URL, OF_SITE(public_url), 1, 0, 0},
    {"clickPrefix", LP_CONF_TEXT, is_prefix, "a path such as /go/",
     OF_SITE(click_prefix), 0, 0, 0},
    {"audience", A_NAME, OF_SITE(audience), 0, 0, 0},
    {"session", OTHER},
    {"signInsPerMinute", LP_CONF_SECONDS, NULL, "sign-ins are",
     OF_SITE(per_minute), 0, 1, 1000000},
    {"providers", OTHER},
    {NULL, OTHER},
};

static const lp_conf_member_t session_members[] = {
    {"keyFile", A_FILE, OF_SITE(session_key), 1, 0, 0},
    {"tokenLifetime", SECONDS, OF_SITE(token_life), 0, 60, 3600},
    {"lifetime", SECONDS, OF_SITE(session_life), 0, 300, 30 * DAY},
    {"idle", SECONDS, OF_SITE(idle), 0, 0, 30 * DAY},
    {NULL, OTHER},
};

static const lp_conf_member_t provider_members[] = {
    {"name", LP_CONF_TEXT, lp_conf_is_label, "a-z 0-9 and -",
     OF_PROVIDER(name), 1, 0, LP_CONF_LABEL_MAX},
    {"title", OTHER},
    {"issuer", LP_CONF_TEXT, is_issuer,
     "an https:// URL without a query (http:// only to loopback)",
     OF_PROVIDER(issuer), 1, 0, 0},
    {"clientId", A_NAME, OF_PROVIDER(client_id), 1, 0, 0},
    {"authentication", OTHER},
    {"clientSecretFile", A_FILE, OF_PROVIDER(secret_file), 0, 0, 0},
    {"keyFile", A_FILE, OF_PROVIDER(key_file), 0, 0, 0},
    {"scope", LP_CONF_TEXT, is_scope,
     "scopes with single spaces between them, openid among them",
     OF_PROVIDER(scope), 0, 0, 512},
    {"parameters", OTHER},
    {"userinfo", A_FLAG, OF_PROVIDER(userinfo), 0, 0, 0},
    {"ownCallback", A_FLAG, OF_PROVIDER(own_callback), 0, 0, 0},
    {"users", OTHER},
    {"schools", OTHER},
    {"school", A_SCHOOL, OF_PROVIDER(mapping.school), 0, 0, 0},
    {"schoolRequired", A_FLAG, OF_PROVIDER(school_needed), 0, 0, 0},
    {"employees", OTHER},
    {"algorithms", OTHER},
    {"leeway", SECONDS, OF_PROVIDER(leeway), 0, 0, LEEWAY_MAX},
    {"portals", OTHER},
    {"serves", OTHER},
    {"authorizationEndpoint", AN_ENDPOINT,
     OF_PROVIDER(authorization_endpoint), 0, 0, LP_ENDPOINT_MAX},
    {"tokenEndpoint", AN_ENDPOINT, OF_PROVIDER(token_endpoint), 0, 0,
     LP_ENDPOINT_MAX},
    {"userinfoEndpoint", AN_ENDPOINT, OF_PROVIDER(userinfo_endpoint), 0, 0,
     LP_ENDPOINT_MAX},
    {"endSessionEndpoint", AN_ENDPOINT, OF_PROVIDER(end_session_endpoint), 0,
     0, LP_ENDPOINT_MAX},
    {"jwksUri", AN_ENDPOINT, OF_PROVIDER(jwks_uri), 0, 0, LP_ENDPOINT_MAX},
    {NULL, OTHER},
};

static const lp_conf_member_t served_members[] = {
    {"school", A_SCHOOL, offsetof(lp_served_t, school), 1, 0, 0},
    {"name", LP_CONF_TEXT, NULL, NULL, offsetof(lp_served_t, name), 1, 0, 0},
    {NULL, OTHER},
};

/* What the request to a provider is made of: not for anybody to set. */
static const char *const reserved[] = {
    "response_type", "response_mode", "client_id", "redirect_uri", "scope",
    "state", "nonce", "code_challenge", "code_challenge_method", "request",
    "request_uri",
};

static int read_sites(lp_conf_t *conf, const json_t *root, lp_sites_t *sites);
static int read_public_url(lp_conf_t *conf, lp_sites_t *sites);
static int read_session(lp_conf_t *conf, const json_t *root,
                        lp_sites_t *sites);
static int read_providers(lp_conf_t *conf, const json_t *root,
                          lp_sites_t *sites);
static int read_provider(lp_conf_t *conf, const json_t *object,
                         lp_provider_t *provider);
static int read_authentication(lp_conf_t *conf, const json_t *object,
                               lp_provider_t *provider);
static int read_parameters(lp_conf_t *conf, const json_t *object,
                           lp_provider_t *provider);
static int read_age(lp_provider_t *provider, lp_span_t text);
static int read_portals(lp_conf_t *conf, const json_t *object,
                        lp_provider_t *provider);
static int read_serves(lp_conf_t *conf, const json_t *object,
                       lp_provider_t *provider);
static int check_twice(lp_conf_t *conf, const lp_sites_t *sites,
                       const lp_provider_t *last);

void
lp_providers_file_none(lp_providers_file_t *file)
{
    memset(file, 0, sizeof(*file));
    file->sites.click_prefix = lp_span("/go/");
    file->sites.token_life = TOKEN_LIFE;
    file->sites.session_life = SESSION_LIFE;
    file->sites.per_minute = PER_MINUTE;
}

int
lp_providers_file_read(lp_providers_file_t *file, lp_span_t text,
                       const char *folder, char *reason)
{
    lp_conf_t     conf = {.folder = folder};
    const json_t *root;

    conf.reason = reason;
    lp_providers_file_none(file);
    root = lp_conf_root(&conf, text, &file->memory);
    if (root == NULL || read_sites(&conf, root, &file->sites) != 0) {
        lp_providers_file_free(file);
        return -1;
    }
    return 0;
}

void
lp_providers_file_free(lp_providers_file_t *file)
{
    const lp_provider_t *provider;
    unsigned             i;

    for (i = 0; i < file->sites.n; i++) {
        provider = &file->sites.list[i];
        free((char *) provider->secret_file);
        free((char *) provider->key_file);
        free((void *) provider->parameters);
        free((void *) provider->portals);
        free((void *) provider->serves);
    }
    free((void *) file->sites.list);
    free((char *) file->sites.session_key);
    lp_json_release(file->memory);
    memset(file, 0, sizeof(*file));
}

/* Texts. */

/* "|" stands between it and sub where both are hashed. */
static int
is_issuer(lp_span_t text)
{
    return lp_conf_is_url(text) && memchr(text.data, '|', text.len) == NULL;
}

/* Scope tokens (RFC 6749 section 3.3); without openid it were no sign-in. */
static int
is_scope(lp_span_t text)
{
    size_t i, from = 0;
    int    openid = 0;

    for (i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] != ' ') {
            if (!lp_conf_is_name((lp_span_t) {text.data + i, 1})) {
                return 0;
            }
            continue;
        }
        if (i == from) {
            return 0;
        }
        openid |= lp_span_equal((lp_span_t) {text.data + from, i - from},
                                lp_span("openid"));
        from = i + 1;
    }
    return openid;
}

/* "/", or segments of names between slashes. */
static int
is_prefix(lp_span_t text)
{
    size_t i;
    char   before = '\0';

    if (text.data[0] != '/') {
        return 0;
    }
    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '/' || text.data[i] == '.') {
            if (before == '/') {
                return 0;
            }
        } else if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_NAME)) {
            return 0;
        }
        before = text.data[i];
    }
    return before == '/';
}

/* The site. */

static int
read_sites(lp_conf_t *conf, const json_t *root, lp_sites_t *sites)
{
    if (lp_conf_read(conf, root, site_members, sites) != 0
        || read_public_url(conf, sites) != 0
        || read_session(conf, root, sites) != 0) {
        return -1;
    }
    sites->issuer = sites->public_url;
    if (sites->audience.len == 0) {
        sites->audience = sites->public_url;
    }
    return read_providers(conf, root, sites);
}

/* An origin: cookies and routes begin at its root. */
static int
read_public_url(lp_conf_t *conf, lp_sites_t *sites)
{
    lp_span_t  *url = &sites->public_url;
    const char *host;

    if (url->data[url->len - 1] == '/') {
        url->len--;
    }
    host = memchr(url->data, ':', url->len);
    host += sizeof("://") - 1;
    return memchr(host, '/', url->len - (size_t) (host - url->data)) == NULL
               ? 0
               : lp_conf_refuse(conf, "publicUrl", "nothing may follow the "
                                "host: Leerpoort has a host of its own");
}

static int
read_session(lp_conf_t *conf, const json_t *root, lp_sites_t *sites)
{
    const json_t *session = json_object_get(root, "session");
    size_t        here;

    if (session == NULL) {
        return lp_conf_refuse(conf, "session", "it is missing");
    }
    here = lp_conf_enter(conf, "session", -1);
    if (lp_conf_read(conf, session, session_members, sites) != 0) {
        return -1;
    }
    if (sites->session_life < sites->token_life) {
        return lp_conf_refuse(conf, "lifetime",
                              "it is shorter than tokenLifetime");
    }
    lp_conf_leave(conf, here);
    return 0;
}

static int
read_providers(lp_conf_t *conf, const json_t *root, lp_sites_t *sites)
{
    const json_t  *array;
    lp_provider_t *list;
    size_t         here;
    unsigned       i, n;

    if (lp_conf_array(conf, root, "providers", LP_PROVIDERS_MAX, &array, &n)
        != 0) {
        return -1;
    }
    list = calloc(n + 1, sizeof(lp_provider_t));
    if (list == NULL) {
        return lp_conf_no_memory(conf);
    }
    sites->list = list;
    for (i = 0; i < n; i++) {
        sites->n++;
        here = lp_conf_enter(conf, "providers", (int) i);
        if (read_provider(conf, json_array_get(array, i), &list[i]) != 0
            || check_twice(conf, sites, &list[i]) != 0) {
            return -1;
        }
        lp_conf_leave(conf, here);
    }
    return 0;
}

/* A provider. */

static int
read_provider(lp_conf_t *conf, const json_t *object, lp_provider_t *provider)
{
    provider->leeway = LEEWAY;
    provider->scope = lp_span("openid");
    if (lp_conf_read(conf, object, provider_members, provider) != 0
        || lp_conf_title(conf, object, provider->title, provider->name) != 0
        || lp_conf_algorithms(conf, object, &provider->algs, LP_ALG_RS256)
               != 0
        || lp_conf_mapping(conf, object, &provider->mapping) != 0
        || read_authentication(conf, object, provider) != 0
        || read_parameters(conf, object, provider) != 0
        || read_portals(conf, object, provider) != 0
        || read_serves(conf, object, provider) != 0) {
        return -1;
    }
    return provider->mapping.n_users > 0
               ? 0
               : lp_conf_refuse(conf, "users", "one is expected at least");
}

static int
read_authentication(lp_conf_t *conf, const json_t *object,
                    lp_provider_t *provider)
{
    static const char *const names[] = {
        [LP_AUTH_BASIC] = "client_secret_basic",
        [LP_AUTH_POST] = "client_secret_post",
        [LP_AUTH_KEY] = "private_key_jwt",
        [LP_AUTH_NONE] = "none",
    };
    const json_t *value = json_object_get(object, "authentication");
    unsigned      i = LP_AUTH_BASIC;

    if (value != NULL) {
        while (i <= LP_AUTH_NONE
               && (!json_is_string(value)
                   || strcmp(json_string_value(value), names[i]) != 0)) {
            i++;
        }
    }
    if (i > LP_AUTH_NONE) {
        return lp_conf_refuse(conf, "authentication", "client_secret_basic, "
                              "client_secret_post, private_key_jwt or none "
                              "is expected");
    }
    provider->auth = (lp_client_auth_t) i;
    if (i <= LP_AUTH_POST && provider->secret_file == NULL) {
        return lp_conf_refuse(conf, "clientSecretFile",
                              "it is missing; authentication needs it");
    }
    return 0;
}

static int
is_reserved(lp_span_t name)
{
    unsigned i;

    for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (lp_span_equal(name, lp_span_of(reserved[i]))) {
            return 1;
        }
    }
    return 0;
}

/* {"acr_values": "..."}: what is added to the request as it stands. */
static int
read_parameters(lp_conf_t *conf, const json_t *object, lp_provider_t *provider)
{
    json_t     *parameters = json_object_get(object, "parameters"), *value;
    lp_span_t (*list)[2];
    const char *name;
    unsigned    n = 0;

    if (parameters == NULL) {
        return 0;
    }
    if (!json_is_object(parameters)
        || json_object_size(parameters) > LP_PARAMETERS_MAX) {
        return lp_conf_refuse(conf, "parameters", "an object of at most 16 "
                              "texts is expected");
    }
    list = calloc(LP_PARAMETERS_MAX, sizeof(*list));
    if (list == NULL) {
        return lp_conf_no_memory(conf);
    }
    provider->parameters = (const lp_span_t (*)[2]) list;
    json_object_foreach(parameters, name, value) {
        list[n][0] = lp_span_of(name);
        if (name[0] == '\0' || !lp_conf_is_name(list[n][0])
            || list[n][0].len > LP_CONF_LABEL_MAX || is_reserved(list[n][0])) {
            return lp_conf_refuse(conf, "parameters", "a name is not one that "
                                  "may be set");
        }
        if (lp_conf_text(conf, "parameters", value, LP_PARAMETER_MAX,
                         &list[n][1]) != 0) {
            return -1;
        }
        if (strcmp(name, "max_age") == 0
            && read_age(provider, list[n][1]) != 0) {
            return lp_conf_refuse(conf, "parameters", "max_age: a number of "
                                  "seconds is expected");
        }
        provider->n_parameters = ++n;
    }
    return 0;
}

/* What is asked is checked (id_token.h). */
static int
read_age(lp_provider_t *provider, lp_span_t text)
{
    size_t i;

    if (text.len == 0 || text.len > AGE_DIGITS) {
        return -1;
    }
    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }
        provider->auth_age = provider->auth_age * 10 + text.data[i] - '0';
    }
    provider->asks_age = 1;
    return 0;
}

static int
read_portals(lp_conf_t *conf, const json_t *object, lp_provider_t *provider)
{
    const json_t *array;
    lp_span_t    *list;
    unsigned      i, n;

    if (lp_conf_array(conf, object, "portals", LP_PORTALS_MAX, &array, &n)
        != 0) {
        return -1;
    }
    list = calloc(n + 1, sizeof(lp_span_t));
    if (list == NULL) {
        return lp_conf_no_memory(conf);
    }
    provider->portals = list;
    for (i = 0; i < n; i++) {
        if (lp_conf_text(conf, "portals", json_array_get(array, i),
                         LP_CONF_LABEL_MAX, &list[i]) != 0) {
            return -1;
        }
        if (!lp_conf_is_name(list[i])) {
            return lp_conf_refuse(conf, "portals", "visible ASCII without "
                                  "quotes is expected");
        }
    }
    provider->n_portals = n;
    return 0;
}

static int
read_serves(lp_conf_t *conf, const json_t *object, lp_provider_t *provider)
{
    const json_t *array;
    lp_served_t  *list;
    size_t        here;
    unsigned      i, n;

    if (lp_conf_array(conf, object, "serves", LP_SERVES_MAX, &array, &n)
        != 0) {
        return -1;
    }
    list = calloc(n + 1, sizeof(lp_served_t));
    if (list == NULL) {
        return lp_conf_no_memory(conf);
    }
    provider->serves = list;
    for (i = 0; i < n; i++) {
        here = lp_conf_enter(conf, "serves", (int) i);
        if (lp_conf_read(conf, json_array_get(array, i), served_members,
                         &list[i]) != 0) {
            return -1;
        }
        lp_conf_leave(conf, here);
    }
    provider->n_serves = n;
    return 0;
}

/* Two of one issuer could be mixed up: what one sends names the other. */
static int
check_twice(lp_conf_t *conf, const lp_sites_t *sites,
            const lp_provider_t *last)
{
    if (lp_provider_by_name(sites, last->name) != last) {
        return lp_conf_refuse(conf, "name", "it is there twice");
    }
    if (lp_provider_by_issuer(sites, last->issuer) != last) {
        return lp_conf_refuse(conf, "issuer", "it is there twice");
    }
    return 0;
}
