/*
 * The answer is signed once. The page is kept beside it, sealed, for as long as
 * it is good: so it has an address, at which it can be read in the other
 * language, and what is posted is the same in both. Where it can't be kept
 * (Redis failed, or it is too long), it has no such link, and serves all the
 * same.
 */

#include "pick_ready.h"

#include <stdlib.h>

#include "../core/json.h"
#include "lti_answer.h"

#define FRAME_MAX   4096 /* bytes of the page without what is counted */
#define ROW_MAX     16   /* bytes of a row without its text */
#define ESCAPED     6    /* bytes of an escaped one */
#define ORIGINS_MAX 4096
#define HREF_MAX    256

typedef struct {
    const char *title, *lead, *button; /* the last two: and a name behind */
} words_t;

/* Nothing was chosen; something was. */
static const words_t words[LP_LANGUAGES][2] = {
    [LP_DUTCH] = {
        {"Niets gekozen", "Er wordt niets toegevoegd aan ", "Terug naar "},
        {"Klaar om te plaatsen", "Dit komt in ", "Zet in "}},
    [LP_ENGLISH] = {
        {"Nothing chosen", "Nothing will be added to ", "Back to "},
        {"Ready to be put in place", "This goes into ", "Put into "}}};

typedef struct {
    lp_visit_t          *visit;
    const lp_platform_t *platform;
    const json_t        *titles;
    lp_span_t            return_url, jwt;
    lp_span_t            name; /* the platform's, for people */
    const words_t       *word;
} ready_t;

static size_t size_of(const ready_t *ready);
static void write_page(lp_text_t *body, const ready_t *ready);
static void write_titles(lp_text_t *body, const json_t *titles);
static void send(const ready_t *ready, lp_span_t secret, lp_span_t body);
static int add_origins(lp_text_t *out, lp_span_t url,
                       const lp_platform_t *platform);

void
lp_pick_ready(lp_visit_t *visit, const lp_platform_t *platform,
              lp_span_t return_url, const json_t *titles, const char *jwt)
{
    char      secret[LP_RANDOM_LEN + 1];
    lp_span_t kept = {NULL, 0};
    json_t   *document;

    document = json_pack("{s:s%, s:s%, s:O, s:s}", "platform",
                         platform->name.data, platform->name.len, "return",
                         return_url.data, return_url.len, "titles",
                         (json_t *) titles, "jwt", jwt);
    if (document == NULL) {
        lp_lti_unavailable(visit, platform);
        return;
    }
    if (lp_once_put(visit->sso, LP_ONCE_READY, document, secret)
        == LP_STORE_OK) {
        kept = (lp_span_t) {secret, LP_RANDOM_LEN};
    }
    lp_pick_ready_show(visit, platform, document, kept);
    json_decref(document);
}

void
lp_pick_ready_show(lp_visit_t *visit, const lp_platform_t *platform,
                   const json_t *document, lp_span_t secret)
{
    lp_language_t language = lp_request_language(&visit->request);
    ready_t       ready = {.visit = visit, .platform = platform};
    lp_text_t     body;
    char         *bytes;
    size_t        size;

    ready.titles = json_object_get(document, "titles");
    ready.return_url = lp_json_member(document, "return");
    ready.jwt = lp_json_member(document, "jwt");
    ready.name = platform->title[language];
    ready.word = &words[language][json_array_size(ready.titles) > 0];
    size = size_of(&ready);
    bytes = malloc(size);
    if (bytes == NULL) {
        lp_lti_unavailable(visit, platform);
        return;
    }
    body = lp_text_in(bytes, size);
    write_page(&body, &ready);
    if (body.full) {
        lp_lti_unavailable(visit, platform);
    } else {
        send(&ready, secret, lp_text_span(&body));
    }
    free(bytes);
}

const char *
lp_pick_ready_none(const lp_visit_t *visit)
{
    return words[lp_request_language(&visit->request)][0].title;
}

/* Enough for every text escaped. */
static size_t
size_of(const ready_t *ready)
{
    size_t size = FRAME_MAX, i;

    size += ESCAPED * (ready->return_url.len + 2 * ready->name.len)
            + ready->jwt.len;
    for (i = 0; i < json_array_size(ready->titles); i++) {
        size += ROW_MAX
                + ESCAPED * json_string_length(json_array_get(ready->titles,
                                                              i));
    }
    return size;
}

static void
write_page(lp_text_t *body, const ready_t *ready)
{
    lp_text_add(body, lp_span("<p>"));
    lp_text_html(body, lp_span_of(ready->word->lead));
    lp_text_html(body, ready->name);
    if (json_array_size(ready->titles) > 0) {
        lp_text_add(body, lp_span(":</p>\n"));
        write_titles(body, ready->titles);
    } else {
        lp_text_add(body, lp_span(".</p>\n"));
    }
    lp_text_add(body, lp_span("<form method=\"post\" action=\""));
    lp_text_html(body, ready->return_url);
    lp_text_add(body, lp_span("\">\n<input type=\"hidden\" name=\"JWT\" "
                              "value=\""));
    lp_text_html(body, ready->jwt);
    lp_text_add(body, lp_span("\">\n<button type=\"submit\">"));
    lp_text_html(body, lp_span_of(ready->word->button));
    lp_text_html(body, ready->name);
    lp_text_add(body, lp_span("</button>\n</form>\n"));
}

static void
write_titles(lp_text_t *body, const json_t *titles)
{
    size_t i;

    lp_text_add(body, lp_span("<ul class=\"list\">\n"));
    for (i = 0; i < json_array_size(titles); i++) {
        lp_text_add(body, lp_span("<li>"));
        lp_text_html(body, lp_json_text(json_array_get(titles, i)));
        lp_text_add(body, lp_span("</li>\n"));
    }
    lp_text_add(body, lp_span("</ul>\n"));
}

/* The platform's name in the query is for a page whose secret is too old: it
   says whose frame it is. */
static void
send(const ready_t *ready, lp_span_t secret, lp_span_t body)
{
    lp_page_look_t look;
    lp_text_t      forms, other;
    char           origins[ORIGINS_MAX], href[HREF_MAX];

    memset(&look, 0, sizeof(look));
    look.houses = ready->visit->sso->houses;
    look.frames = ready->platform->frames;
    look.platform = ready->platform->name;
    forms = lp_text_in(origins, sizeof(origins));
    if (add_origins(&forms, ready->return_url, ready->platform) != 0) {
        lp_lti_unavailable(ready->visit, ready->platform);
        return;
    }
    look.forms = lp_text_span(&forms);
    if (secret.len > 0) {
        other = lp_text_in(href, sizeof(href));
        lp_text_add(&other, lp_span("/lti/pick/"));
        lp_text_add(&other, secret);
        lp_text_add(&other, lp_span("?in="));
        lp_text_query(&other, ready->platform->name);
        lp_text_add(&other, lp_span("&"));
        look.other = lp_text_span(&other);
    }
    lp_answer_page(&ready->visit->request, 200, &look,
                   lp_span_of(ready->word->title), body);
}

/* Where the answer goes, and the platform's own further ones: a browser applies
   the policy to where that answer leads, too. */
static int
add_origins(lp_text_t *out, lp_span_t url, const lp_platform_t *platform)
{
    lp_span_t   origin = url;
    const char *slashes = memchr(url.data, ':', url.len), *p, *end;

    if (slashes == NULL || (size_t) (url.data + url.len - slashes) < 4) {
        return -1;
    }
    end = url.data + url.len;
    for (p = slashes + 3; p < end && *p != '/' && *p != '?' && *p != '#';
         p++) {
        if (*p <= ' ' || *p == ';' || *p == ',' || *p == '@') {
            return -1;
        }
    }
    origin.len = (size_t) (p - url.data);
    lp_text_add(out, origin);
    if (platform->frames.len > 0) {
        lp_text_add(out, lp_span(" "));
        lp_text_add(out, platform->frames);
    }
    return out->full ? -1 : 0;
}
