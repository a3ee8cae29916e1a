/*
 * The schema of lti.json (docs/lti.md). Texts stay where the JSON reader put
 * them; only the list of origins, which is composed, is allocated here.
 */

#include "platforms_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "../core/chars.h"
#include "../core/keys.h"
#include "lti_claims.h"
#include "mapping_file.h"

#define FRAMES_MAX 32  /* origins of one platform */
#define ORIGIN_MAX 255 /* bytes */
#define ORIGINS_MAX 1400 /* bytes of all: a CSP has to hold them */
#define LEEWAY     60  /* seconds */
#define LEEWAY_MAX 300

#define LIS "http://purl.imsglobal.org/vocab/lis/v2/"

/* Who is an employee where the file does not say (LTI 1.3 core, appendix A). */
static const char *const employee_roles[] = {
    LIS "membership#Instructor",
    LIS "membership#Administrator",
    LIS "institution/person#Instructor",
    LIS "institution/person#Faculty",
    LIS "institution/person#Administrator",
    LIS "system/person#Administrator",
};

static int is_issuer(lp_span_t text);
static int is_deployment(lp_span_t text);

#define AN_ENDPOINT LP_CONF_TEXT, lp_conf_is_endpoint,                         \
                    "an https:// URL (http:// only to loopback)"
#define OTHER  LP_CONF_ELSE, NULL, NULL, 0, 0, 0, 0
#define IN(field) offsetof(lp_platform_t, field)

static const lp_conf_member_t list_members[] = {
    {"platforms", OTHER},
    {NULL, OTHER},
};

static const lp_conf_member_t platform_members[] = {
    {"name", LP_CONF_TEXT, lp_conf_is_label, "a-z 0-9 and -", IN(name), 1, 0,
     LP_CONF_LABEL_MAX},
    {"title", OTHER},
    {"issuer", LP_CONF_TEXT, is_issuer, "visible ASCII without quotes and |",
     IN(issuer), 1, 0, 0},
    {"clientId", LP_CONF_TEXT, lp_conf_is_name, "visible ASCII without quotes",
     IN(client_id), 1, 0, 0},
    {"authorizationEndpoint", AN_ENDPOINT, IN(authorization_endpoint), 1, 0,
     1024},
    {"jwksUri", AN_ENDPOINT, IN(jwks_uri), 1, 0, 1024},
    {"deployments", OTHER},
    {"users", OTHER},
    {"schools", OTHER},
    {"employees", OTHER},
    {"link", LP_CONF_FLAG, NULL, NULL, IN(link), 0, 0, 0},
    {"newWindow", LP_CONF_FLAG, NULL, NULL, IN(new_window), 0, 0, 0},
    {"frames", OTHER},
    {"algorithms", OTHER},
    {"leeway", LP_CONF_SECONDS, NULL, NULL, IN(leeway), 0, 0, LEEWAY_MAX},
    {NULL, OTHER},
};

static const lp_conf_member_t deployment_members[] = {
    {"id", LP_CONF_TEXT, is_deployment, "printable ASCII",
     offsetof(lp_deployment_t, id), 1, 0, LP_DEPLOYMENT_MAX},
    {"school", LP_CONF_TEXT, lp_school_valid,
     "a school's master identifier ([A-Za-z0-9_.-])",
     offsetof(lp_deployment_t, school), 0, 0, LP_SCHOOL_ID_MAX},
    {NULL, OTHER},
};

static int read_list(lp_conf_t *conf, const json_t *root,
                     lp_platforms_file_t *file);
static int read_platform(lp_conf_t *conf, const json_t *object,
                         lp_platform_t *platform);
static int check_twice(lp_conf_t *conf, const lp_platform_list_t *list);
static int read_deployments(lp_conf_t *conf, const json_t *object,
                            lp_platform_t *platform);
static int read_frames(lp_conf_t *conf, const json_t *object,
                       lp_platform_t *platform);
static int is_origin(lp_span_t text);
static void add_roles(lp_mapping_t *mapping);

int
lp_platforms_file_read(lp_platforms_file_t *file, lp_span_t text, char *reason)
{
    lp_conf_t     conf = {.folder = "."};
    const json_t *root;

    conf.reason = reason;
    memset(file, 0, sizeof(*file));
    root = lp_conf_root(&conf, text, &file->memory);
    if (root == NULL || read_list(&conf, root, file) != 0) {
        lp_platforms_file_free(file);
        return -1;
    }
    return 0;
}

static int
read_list(lp_conf_t *conf, const json_t *root, lp_platforms_file_t *file)
{
    lp_platform_t *list;
    const json_t  *array;
    size_t         here;
    unsigned       i, n;

    if (lp_conf_read(conf, root, list_members, file) != 0
        || lp_conf_array(conf, root, "platforms", LP_PLATFORMS_MAX, &array,
                         &n) != 0) {
        return -1;
    }
    list = calloc(n + 1, sizeof(lp_platform_t));
    if (list == NULL) {
        return lp_conf_no_memory(conf);
    }
    file->list.list = list;
    for (i = 0; i < n; i++) {
        file->list.n++;
        here = lp_conf_enter(conf, "platforms", (int) i);
        if (read_platform(conf, json_array_get(array, i), &list[i]) != 0
            || check_twice(conf, &file->list) != 0) {
            return -1;
        }
        lp_conf_leave(conf, here);
    }
    return 0;
}

void
lp_platforms_file_free(lp_platforms_file_t *file)
{
    unsigned i;

    for (i = 0; i < file->list.n; i++) {
        free((void *) file->list.list[i].deployments);
        free((char *) file->list.list[i].frames.data);
    }
    free((void *) file->list.list);
    lp_json_release(file->memory);
    memset(file, 0, sizeof(*file));
}

/* An issuer need not be a URL: there are platforms whose name is a word. "|"
   stands between it and sub where both are hashed. */
static int
is_issuer(lp_span_t text)
{
    return lp_conf_is_name(text) && memchr(text.data, '|', text.len) == NULL;
}

static int
is_deployment(lp_span_t text)
{
    size_t i;

    for (i = 0; i < text.len && text.data[i] >= 0x20 && text.data[i] < 0x7f;
         i++) { }
    return i == text.len;
}

static int
read_platform(lp_conf_t *conf, const json_t *object, lp_platform_t *platform)
{
    platform->leeway = LEEWAY;
    if (lp_conf_read(conf, object, platform_members, platform) != 0
        || lp_conf_title(conf, object, platform->title, platform->name) != 0
        || lp_conf_algorithms(conf, object, &platform->algs, LP_ALG_RS256)
               != 0
        || lp_conf_mapping(conf, object, &platform->mapping) != 0
        || read_deployments(conf, object, platform) != 0
        || read_frames(conf, object, platform) != 0) {
        return -1;
    }
    if (json_object_get(object, "employees") == NULL) {
        add_roles(&platform->mapping);
    }
    return 0;
}

/* The last one against those before it. */
static int
check_twice(lp_conf_t *conf, const lp_platform_list_t *list)
{
    const lp_platform_t *last = &list->list[list->n - 1], *other;

    for (other = list->list; other < last; other++) {
        if (lp_span_equal(other->name, last->name)) {
            return lp_conf_refuse(conf, "name", "it is there twice");
        }
        if (lp_span_equal(other->issuer, last->issuer)
            && lp_span_equal(other->client_id, last->client_id)) {
            return lp_conf_refuse(conf, "clientId",
                                  "it is there twice for this issuer");
        }
    }
    return 0;
}

static int
read_deployment(lp_conf_t *conf, const json_t *object,
                const lp_deployment_t *before, lp_deployment_t *deployment)
{
    if (lp_conf_read(conf, object, deployment_members, deployment) != 0) {
        return -1;
    }
    for (; before < deployment; before++) {
        if (lp_span_equal(before->id, deployment->id)) {
            return lp_conf_refuse(conf, "id", "it is there twice");
        }
    }
    return 0;
}

static int
read_deployments(lp_conf_t *conf, const json_t *object,
                 lp_platform_t *platform)
{
    const json_t    *array;
    lp_deployment_t *list;
    size_t           here;
    unsigned         i, n;

    if (lp_conf_array(conf, object, "deployments", LP_DEPLOYMENTS_MAX, &array,
                      &n) != 0) {
        return -1;
    }
    if (n == 0) {
        return lp_conf_refuse(conf, "deployments",
                              "one is expected at least");
    }
    list = calloc(n, sizeof(lp_deployment_t));
    if (list == NULL) {
        return lp_conf_no_memory(conf);
    }
    platform->deployments = list;
    platform->n_deployments = n;
    for (i = 0; i < n; i++) {
        here = lp_conf_enter(conf, "deployments", (int) i);
        if (read_deployment(conf, json_array_get(array, i), list, &list[i])
            != 0) {
            return -1;
        }
        lp_conf_leave(conf, here);
    }
    return 0;
}

/* ["https://a", "https://b"] as "https://a https://b", as a CSP has them. */
static int
read_frames(lp_conf_t *conf, const json_t *object, lp_platform_t *platform)
{
    const json_t *array;
    lp_span_t     origin;
    unsigned      i, n;
    size_t        len = 0;
    char         *text;

    if (lp_conf_array(conf, object, "frames", FRAMES_MAX, &array, &n) != 0) {
        return -1;
    }
    text = malloc(n * (ORIGIN_MAX + 1) + 1);
    if (text == NULL) {
        return lp_conf_no_memory(conf);
    }
    platform->frames.data = text;
    for (i = 0; i < n; i++) {
        if (lp_conf_text(conf, "frames", json_array_get(array, i), ORIGIN_MAX,
                         &origin) != 0) {
            return -1;
        }
        if (!is_origin(origin)) {
            return lp_conf_refuse(conf, "frames", "origins are expected: "
                                  "https://host, https://*.host or with a "
                                  "port; http:// only to loopback");
        }
        memcpy(text + len, origin.data, origin.len);
        len += origin.len;
        text[len++] = ' ';
    }
    if (len > ORIGINS_MAX) {
        return lp_conf_refuse(conf, "frames", "too long together: one origin "
                              "with *. may stand for many");
    }
    platform->frames.len = len == 0 ? 0 : len - 1;
    return 0;
}

/* A source expression of a CSP (CSP 3, section 2.3.1) that names one site, or
   the sites below one: nothing of it may end the directive. */
static int
is_origin(lp_span_t text)
{
    const char *any = "https://*.";
    size_t      i, from = sizeof("https://") - 1;

    for (i = 0; i < text.len; i++) {
        if (strchr("'\";,", text.data[i]) != NULL) {
            return 0;
        }
    }
    if (text.len > strlen(any) && memcmp(text.data, any, strlen(any)) == 0) {
        from = strlen(any);
        for (i = from; i < text.len; i++) {
            if (!lp_char_is((unsigned char) text.data[i], LP_CHAR_NAME)) {
                return 0;
            }
        }
        return memchr(text.data + from, '.', text.len - from) != NULL;
    }
    return lp_conf_is_url(text)
           && memchr(text.data + from, '/', text.len - from) == NULL;
}

static void
add_roles(lp_mapping_t *mapping)
{
    unsigned     i, n = sizeof(employee_roles) / sizeof(employee_roles[0]);
    lp_mapped_t *row;

    for (i = 0; i < n; i++) {
        row = &mapping->employees[mapping->n_employees++];
        row->path = lp_span("roles");
        row->value = lp_span_of(employee_roles[i]);
    }
}
