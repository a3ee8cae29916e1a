/*
 * One pass over the claims, each member by a rule of its own. The signature was
 * good, so that it is a registered platform that speaks; but a platform's
 * teachers choose custom parameters, links and titles, and what they typed is
 * here too. Nothing is repeated into a page or a log without escaping, and a
 * product goes through the same reader as a click's.
 */

#include "lti_claims.h"

#include <string.h>

#include "../core/click.h"
#include "../core/json.h"
#include "../core/keys.h"
#include "../core/text.h"
#include "../workers/conf_members.h"

#define CLAIM(name) LP_LTI_PREFIX name

static int read_resource(lp_launch_t *launch, const json_t *claims);
static int all_texts(const json_t *array);
static int is_custom(const json_t *custom);
static lp_span_t read_name(lp_launch_t *launch, const json_t *claims);
static lp_lti_fault_t read_settings(lp_launch_t *launch, const json_t *claims);
static lp_lti_fault_t read_product(lp_launch_t *launch,
                                   const lp_launch_site_t *site,
                                   const json_t *claims);

/* A text for people: what is too long or odd is left out, nothing rests on it.
   */
static lp_span_t
shown(const json_t *value)
{
    lp_span_t text = lp_json_text(value);

    return text.len <= LP_LTI_TEXT_MAX && !lp_has_control(text)
               ? text : (lp_span_t) {NULL, 0};
}

static lp_lti_fault_t
read_type(lp_launch_t *launch, const json_t *claims)
{
    lp_span_t version = lp_json_member(claims, CLAIM("version"));
    lp_span_t type = lp_json_member(claims, CLAIM("message_type"));

    if (!lp_span_equal(version, lp_span("1.3.0"))) {
        return LP_LTI_VERSION;
    }
    launch->deep_linking =
        lp_span_equal(type, lp_span("LtiDeepLinkingRequest"));
    return launch->deep_linking
                   || lp_span_equal(type, lp_span("LtiResourceLinkRequest"))
               ? LP_LTI_OK : LP_LTI_MESSAGE_TYPE;
}

static lp_lti_fault_t
read_deployment(lp_launch_t *launch, const lp_launch_site_t *site,
                const json_t *claims)
{
    lp_span_t id = lp_json_member(claims, CLAIM("deployment_id"));
    unsigned  i;

    for (i = 0; i < id.len && id.data[i] >= 0x20 && id.data[i] < 0x7f; i++) { }
    if (id.len == 0 || id.len > LP_DEPLOYMENT_MAX || i < id.len) {
        return LP_LTI_DEPLOYMENT;
    }
    if (site->deployment.len > 0 && !lp_span_equal(id, site->deployment)) {
        return LP_LTI_DEPLOYMENT_OTHER;
    }
    for (i = 0; i < site->platform->n_deployments; i++) {
        if (lp_span_equal(site->platform->deployments[i].id, id)) {
            launch->deployment = &site->platform->deployments[i];
            return LP_LTI_OK;
        }
    }
    return LP_LTI_DEPLOYMENT_UNKNOWN;
}

/* What follows the site's name: a path, a query, a fragment, or nothing. */
static int
below_site(lp_span_t *rest, lp_span_t uri, lp_span_t site)
{
    if (uri.len < site.len || uri.len > LP_LTI_URL_MAX || site.len == 0
        || memcmp(uri.data, site.data, site.len) != 0) {
        return -1;
    }
    rest->data = uri.data + site.len;
    rest->len = uri.len - site.len;
    return rest->len == 0 || strchr("/?#", rest->data[0]) != NULL ? 0 : -1;
}

/* Deep Linking 2.0 does not list the claim (section 4.4, appendix A). */
static int
is_target(const lp_launch_t *launch, const lp_launch_site_t *site,
          const json_t *claims)
{
    const json_t *uri = json_object_get(claims, CLAIM("target_link_uri"));
    lp_span_t     rest;

    return (uri == NULL && launch->deep_linking)
           || below_site(&rest, lp_json_text(uri), site->public_url) == 0;
}

/* roles may be empty, and is never absent: core, section 5.3.7. */
static lp_lti_fault_t
read_person(lp_launch_t *launch, const json_t *claims)
{
    const json_t *roles = json_object_get(claims, CLAIM("roles"));
    const json_t *custom = json_object_get(claims, CLAIM("custom"));
    const json_t *subject = json_object_get(claims, "sub");

    if (!launch->deep_linking && read_resource(launch, claims) != 0) {
        return LP_LTI_RESOURCE;
    }
    if (!json_is_array(roles) || !all_texts(roles)) {
        return LP_LTI_ROLES;
    }
    if (!is_custom(custom)) {
        return LP_LTI_CUSTOM;
    }
    launch->subject = lp_json_text(subject);
    launch->person = read_name(launch, claims);
    if (subject != NULL && !json_is_null(subject)
        && (!json_is_string(subject) || launch->subject.len == 0
            || launch->subject.len > LP_LTI_TEXT_MAX
            || lp_has_control(launch->subject))) {
        return LP_LTI_SUBJECT;
    }
    return LP_LTI_OK;
}

static int
read_resource(lp_launch_t *launch, const json_t *claims)
{
    const json_t *link = json_object_get(claims, CLAIM("resource_link"));

    launch->resource = lp_json_member(link, "id");
    return launch->resource.len > 0
                   && launch->resource.len <= LP_LTI_TEXT_MAX
               ? 0 : -1;
}

static int
all_texts(const json_t *array)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++) {
        if (!json_is_string(json_array_get(array, i))) {
            return 0;
        }
    }
    return 1;
}

/* What names the book must be texts: to open another one than a number would
   have meant is worse than none. */
static int
is_custom(const json_t *custom)
{
    const json_t *product = json_object_get(custom, "product");
    const json_t *path = json_object_get(custom, "path");

    if (custom == NULL || json_is_null(custom)) {
        return 1;
    }
    return json_is_object(custom)
           && (product == NULL || json_is_null(product)
               || json_is_string(product))
           && (path == NULL || json_is_null(path) || json_is_string(path));
}

/* A platform may be set to tell parts of the name alone. */
static lp_span_t
read_name(lp_launch_t *launch, const json_t *claims)
{
    lp_span_t name = shown(json_object_get(claims, "name"));
    lp_span_t given = shown(json_object_get(claims, "given_name"));
    lp_span_t family = shown(json_object_get(claims, "family_name"));
    lp_text_t text;

    if (name.len > 0) {
        return name;
    }
    text = lp_text_in(launch->joined, sizeof(launch->joined));
    lp_text_add(&text, given);
    if (given.len > 0 && family.len > 0) {
        lp_text_add(&text, lp_span(" "));
    }
    lp_text_add(&text, family);
    return lp_text_span(&text);
}

/* What is not said to be a window may be a frame: a page with a link harms
   nowhere, a book that refuses to be framed would be an empty frame. */
static void
read_presentation(lp_launch_t *launch, const json_t *claims)
{
    const json_t *shape = json_object_get(claims,
                                          CLAIM("launch_presentation"));
    lp_span_t     target = lp_json_member(shape, "document_target");

    launch->in_frame = !lp_span_equal(target, lp_span("window"));
    launch->locale = shown(json_object_get(shape, "locale"));
}

lp_lti_fault_t
lp_launch_read(lp_launch_t *launch, const lp_launch_site_t *site,
               const json_t *claims)
{
    lp_lti_fault_t fault;

    memset(launch, 0, sizeof(*launch));
    read_presentation(launch, claims); /* a refusal is a page, too */
    fault = read_type(launch, claims);
    if (fault == LP_LTI_OK) {
        fault = read_deployment(launch, site, claims);
    }
    if (fault == LP_LTI_OK && !is_target(launch, site, claims)) {
        fault = LP_LTI_TARGET;
    }
    if (fault == LP_LTI_OK) {
        fault = read_person(launch, claims);
    }
    if (fault != LP_LTI_OK) {
        return fault;
    }
    return launch->deep_linking ? read_settings(launch, claims)
                                : read_product(launch, site, claims);
}

/* Deep Linking. */

static int
has_text(const json_t *array, const char *wanted)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++) {
        if (lp_span_equal(lp_json_text(json_array_get(array, i)),
                          lp_span_of(wanted))) {
            return 1;
        }
    }
    return 0;
}

/* A return URL may have a query; a fragment has no place in a form's action. */
static int
is_return_url(lp_span_t url)
{
    const char *query;
    lp_span_t   head = url;

    if (url.len == 0 || url.len > LP_LTI_URL_MAX || !lp_conf_is_name(url)
        || memchr(url.data, '#', url.len) != NULL) {
        return 0;
    }
    query = memchr(url.data, '?', url.len);
    if (query != NULL) {
        head.len = (size_t) (query - url.data);
    }
    return lp_conf_is_url(head);
}

static lp_lti_fault_t
read_settings(lp_launch_t *launch, const json_t *claims)
{
    const json_t *settings = json_object_get(claims, LP_LTI_DL_SETTINGS);
    const json_t *data = json_object_get(settings, "data");

    launch->return_url =
        lp_json_member(settings, "deep_link_return_url");
    if (!is_return_url(launch->return_url)) {
        return LP_LTI_RETURN_URL;
    }
    if (!has_text(json_object_get(settings, "accept_types"),
                  "ltiResourceLink")) {
        return LP_LTI_ACCEPT;
    }
    if (data != NULL && !json_is_null(data)) {
        launch->data = lp_json_text(data);
        if (!json_is_string(data) || launch->data.len > LP_LTI_DATA_MAX) {
            return LP_LTI_DATA;
        }
    }
    launch->multiple =
        json_is_true(json_object_get(settings, "accept_multiple"));
    return LP_LTI_OK;
}

/* The product. */

/* Blanks are no value, nor is a variable that the platform did not know. */
static int
is_filled(lp_span_t text)
{
    while (text.len > 0 && text.data[0] == ' ') {
        text.data++;
        text.len--;
    }
    return text.len > 0 && text.data[0] != '$';
}

static lp_span_t
custom_text(const json_t *claims, const char *name)
{
    lp_span_t text =
        lp_json_member(json_object_get(claims, CLAIM("custom")), name);

    return is_filled(text) ? text : (lp_span_t) {NULL, 0};
}

size_t
lp_launch_click(char *dst, lp_span_t below)
{
    lp_click_t click;
    size_t     len;

    if (lp_click_parse(&click, below) != 0
        || click.product.len + 1 + click.path.len > LP_LTI_CLICK_MAX) {
        return 0;
    }
    len = click.product.len;
    memcpy(dst, click.product.data, len);
    if (click.path.len > 0) {
        dst[len++] = '/';
        memcpy(dst + len, click.path.data, click.path.len);
        len += click.path.len;
    }
    return len;
}

/* custom.product, custom.path */
static lp_lti_fault_t
read_custom_product(lp_launch_t *launch, lp_span_t product, lp_span_t path)
{
    char      below[LP_LTI_CLICK_MAX];
    lp_span_t text = {below, product.len};

    while (path.len > 0 && path.data[0] == '/') {
        path.data++;
        path.len--;
    }
    if (!lp_product_valid(product)
        || product.len + 1 + path.len > sizeof(below)
        || memchr(path.data == NULL ? "" : path.data, '?', path.len) != NULL) {
        return LP_LTI_CLICK;
    }
    memcpy(below, product.data, product.len);
    if (path.len > 0) {
        below[text.len++] = '/';
        memcpy(below + text.len, path.data, path.len);
        text.len += path.len;
    }
    launch->click_len = lp_launch_click(launch->click, text);
    return launch->click_len > 0 ? LP_LTI_OK : LP_LTI_CLICK;
}

/* The custom parameter first: teachers can set it where the URL is one for the
   whole tool. */
static lp_lti_fault_t
read_product(lp_launch_t *launch, const lp_launch_site_t *site,
             const json_t *claims)
{
    lp_span_t   product = custom_text(claims, "product");
    lp_span_t   uri = lp_json_member(claims, CLAIM("target_link_uri"));
    lp_span_t   prefix = site->click_prefix;
    lp_span_t   rest;
    const char *fragment;

    if (product.len > 0) {
        return read_custom_product(launch, product,
                                   custom_text(claims, "path"));
    }
    if (below_site(&rest, uri, site->public_url) != 0
        || rest.len <= prefix.len
        || memcmp(rest.data, prefix.data, prefix.len) != 0) {
        return LP_LTI_PRODUCT;
    }
    rest.data += prefix.len;
    rest.len -= prefix.len;
    fragment = memchr(rest.data, '#', rest.len);
    if (fragment != NULL) {
        rest.len = (size_t) (fragment - rest.data);
    }
    launch->click_len = lp_launch_click(launch->click, rest);
    return launch->click_len > 0 ? LP_LTI_OK : LP_LTI_CLICK;
}

/* Short names. */

static int
add_short(json_t *dst, const char *name, const json_t *value)
{
    return json_object_set_new(dst, name, json_deep_copy(value));
}

/* Of an array each element: which of them is looked at, the mapping says. */
static int
has_value(const json_t *value)
{
    size_t i;

    for (i = 0; i < json_array_size(value); i++) {
        if (!has_value(json_array_get(value, i))) {
            return 0;
        }
    }
    return !json_is_string(value) || is_filled(lp_json_text(value));
}

static json_t *
substituted(const json_t *custom)
{
    json_t     *copy = json_object();
    json_t     *value;
    const char *name;

    if (copy == NULL) {
        return NULL;
    }
    json_object_foreach ((json_t *) custom, name, value) {
        if (has_value(value) && add_short(copy, name, value) != 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

/* Two rounds: a claim of LTI comes after a member that has its short name. */
json_t *
lp_launch_short(const json_t *claims)
{
    size_t      prefix = sizeof(LP_LTI_PREFIX) - 1;
    json_t     *copy = json_object(), *value;
    const char *name;
    int         rc = copy == NULL ? -1 : 0;

    json_object_foreach ((json_t *) claims, name, value) {
        if (rc == 0 && strncmp(name, LP_LTI_PREFIX, prefix) != 0) {
            rc = add_short(copy, name, value);
        }
    }
    json_object_foreach ((json_t *) claims, name, value) {
        if (rc != 0 || strncmp(name, LP_LTI_PREFIX, prefix) != 0) {
            continue;
        }
        rc = strcmp(name + prefix, "custom") == 0 && json_is_object(value)
                 ? json_object_set_new(copy, "custom", substituted(value))
                 : add_short(copy, name + prefix, value);
    }
    if (rc != 0) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}
