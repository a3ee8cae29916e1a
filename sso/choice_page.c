/*
 * With some providers, all of them stand on the page; with many, only what a
 * search finds does, so that the page stays short with thousands of schools.
 * All words that are typed must be in a name, in any order, without regard to
 * case and accents.
 */

#include "choice_page.h"

#include <stdlib.h>

#include "../core/fold.h"

#define LISTED_MAX 24 /* providers that are shown without a search */
#define FOUND_MAX  20 /* schools that a search shows */
#define ENTRY_MAX  (3 * 1024 + 3 * 128 + 6 * 256 + 128)
#define BODY_MAX   ((LISTED_MAX + FOUND_MAX + 2) * ENTRY_MAX)

/* Both languages of what is on the page. */
typedef struct {
    const char *title;
    const char *intro;
    const char *label;
    const char *hint;
    const char *button;
    const char *none;
    const char *one;
    const char *several;
    const char *more;
    const char *providers;
    const char *absent;
} words_t;

static const words_t words[LP_LANGUAGES] = {
    [LP_DUTCH] = {
        "Waar log je in?",
        "Je boek openen we zodra je bent ingelogd bij je school.",
        "Zoek je school",
        "Typ een deel van de naam van je school of van de plaats.",
        "Zoeken",
        "Geen school gevonden. Probeer een korter deel van de naam.",
        "1 school gevonden.",
        " scholen gevonden.",
        " Dit zijn de eerste; typ meer van de naam.",
        "Kies waar je inlogt",
        "Mijn school staat er niet bij"},
    [LP_ENGLISH] = {
        "Where do you sign in?",
        "Your book opens once you have signed in with your school.",
        "Find your school",
        "Type a part of the name of your school or of its town.",
        "Search",
        "No school found. Try a shorter part of the name.",
        "1 school found.",
        " schools found.",
        " These are the first; type more of the name.",
        "Choose where you sign in",
        "My school is not in the list"}};

/* What is being written. */
typedef struct {
    lp_text_t          body;
    const lp_choice_t *choice;
    const words_t     *word;
    lp_language_t      language;
    char               sought[LP_FOLDED_MAX];
    unsigned           found;
} draft_t;

static void write_search(draft_t *draft);
static void write_found(draft_t *draft, const lp_sites_t *sites);
static void write_providers(draft_t *draft, const lp_sites_t *sites);
static void write_absent(draft_t *draft);

int
lp_provider_serves(const lp_provider_t *provider, lp_span_t school)
{
    unsigned i;

    for (i = 0; i < provider->n_serves; i++) {
        if (lp_span_equal(provider->serves[i].school, school)) {
            return 1;
        }
    }
    return 0;
}

static int
may_be_searched(const lp_sites_t *sites)
{
    unsigned i;

    for (i = 0; i < sites->n; i++) {
        if (sites->list[i].n_serves > 0) {
            return 1;
        }
    }
    return sites->n > LISTED_MAX;
}

void
lp_choice_page(lp_visit_t *visit, const lp_choice_t *choice)
{
    const lp_sites_t *sites = lp_sites(visit->sso->providers);
    lp_page_look_t    look;
    draft_t           draft;
    char             *bytes = malloc(BODY_MAX);

    if (bytes == NULL) {
        lp_visit_problem(visit, lp_problem_of(LP_UNAVAILABLE), 0,
                         lp_span(""));
        return;
    }
    memset(&look, 0, sizeof(look));
    look.houses = visit->sso->houses;
    draft.body = lp_text_in(bytes, BODY_MAX);
    draft.choice = choice;
    draft.language = lp_request_language(&visit->request);
    draft.word = &words[draft.language];
    draft.found = 0;
    lp_fold(draft.sought, choice->search);

    lp_text_paragraph(&draft.body, draft.word->intro);
    if (choice->school.len == 0 && may_be_searched(sites)) {
        write_search(&draft);
        write_found(&draft, sites);
    }
    write_providers(&draft, sites);
    write_absent(&draft);
    lp_answer_page(&visit->request, 200, &look,
                   lp_span_of(draft.word->title), lp_text_span(&draft.body));
    free(bytes);
}

static void
add(draft_t *draft, const char *text)
{
    lp_text_add(&draft->body, lp_span_of(text));
}

static void
add_html(draft_t *draft, const char *text)
{
    lp_text_html(&draft->body, lp_span_of(text));
}

/* The form's answer is this page again: no redirect to which the page's policy
   for forms could apply. */
static void
write_search(draft_t *draft)
{
    add(draft, "<form method=\"get\" action=\"/sso/login\" role=\"search\">\n"
               "<p><label for=\"q\">");
    add_html(draft, draft->word->label);
    add(draft, "</label><br>\n<span id=\"q-hint\" class=\"soft\">");
    add_html(draft, draft->word->hint);
    add(draft, "</span></p>\n<p><input type=\"search\" id=\"q\" name=\"q\" "
               "maxlength=\"60\" autocomplete=\"off\" "
               "aria-describedby=\"q-hint\" value=\"");
    lp_text_html(&draft->body, draft->choice->search);
    add(draft, "\">\n<input type=\"hidden\" name=\"choose\" value=\"1\">\n"
               "<input type=\"hidden\" name=\"return\" value=\"");
    lp_text_html(&draft->body, draft->choice->back);
    add(draft, "\">\n<button type=\"submit\">");
    add_html(draft, draft->word->button);
    add(draft, "</button></p>\n</form>\n");
}

/* A link back to here, with the choice in it. */
static void
write_link(draft_t *draft, const lp_provider_t *provider, lp_span_t school,
           lp_span_t name, lp_span_t soft)
{
    add(draft, "<li><a href=\"/sso/login?provider=");
    lp_text_query(&draft->body, provider->name);
    if (school.len > 0) {
        add(draft, "&amp;school=");
        lp_text_query(&draft->body, school);
    }
    add(draft, "&amp;keep=1&amp;return=");
    lp_text_query(&draft->body, draft->choice->back);
    add(draft, "\">");
    lp_text_html(&draft->body, name);
    add(draft, "</a>");
    if (soft.len > 0) {
        add(draft, " <span class=\"soft\">");
        lp_text_html(&draft->body, soft);
        add(draft, "</span>");
    }
    add(draft, "</li>\n");
}

/* All words of what is sought, anywhere in the name. */
static int
matches(const draft_t *draft, lp_span_t name)
{
    const char *p = draft->sought, *at;
    char        folded[LP_FOLDED_MAX], word[LP_FOLDED_MAX];
    size_t      len;

    lp_fold(folded, name);
    for (p += strspn(p, " "); *p != '\0'; p += strspn(p, " ")) {
        len = strcspn(p, " ");
        memcpy(word, p, len);
        word[len] = '\0';
        at = strstr(folded, word);
        if (at == NULL) {
            return 0;
        }
        p += len;
    }
    return 1;
}

static void
find_in(draft_t *draft, const lp_provider_t *provider)
{
    lp_span_t title = provider->title[draft->language];
    unsigned  i;

    for (i = 0; i < provider->n_serves; i++) {
        if (matches(draft, provider->serves[i].name)
            && draft->found++ < FOUND_MAX) {
            write_link(draft, provider, provider->serves[i].school,
                       provider->serves[i].name, title);
        }
    }
    if (provider->n_serves == 0 && matches(draft, title)
        && draft->found++ < FOUND_MAX) {
        write_link(draft, provider, lp_span(""), title, lp_span(""));
    }
}

/* How many there are is said behind the list, where it is known, and shown
   before it: it is read out when it changes. */
static void
write_found(draft_t *draft, const lp_sites_t *sites)
{
    const words_t *word = draft->word;
    unsigned       i;

    if (draft->sought[strspn(draft->sought, " ")] == '\0') {
        return;
    }
    add(draft, "<ul class=\"list\">\n");
    for (i = 0; i < sites->n; i++) {
        find_in(draft, &sites->list[i]);
    }
    add(draft, "</ul>\n<p role=\"status\">");
    if (draft->found == 0) {
        add_html(draft, word->none);
    } else if (draft->found == 1) {
        add_html(draft, word->one);
    } else {
        lp_text_number(&draft->body, draft->found);
        add_html(draft, word->several);
    }
    if (draft->found > FOUND_MAX) {
        add_html(draft, word->more);
    }
    add(draft, "</p>\n");
}

/* Many of them are there for the search alone. */
static void
write_providers(draft_t *draft, const lp_sites_t *sites)
{
    const lp_provider_t *provider;
    lp_span_t            school = draft->choice->school;
    unsigned             i, n = 0;

    if (sites->n > LISTED_MAX && school.len == 0) {
        return;
    }
    add(draft, "<h2>");
    add_html(draft, draft->word->providers);
    add(draft, "</h2>\n<ul class=\"list\">\n");
    for (i = 0; i < sites->n && n < LISTED_MAX; i++) {
        provider = &sites->list[i];
        if (school.len == 0 || lp_provider_serves(provider, school)) {
            write_link(draft, provider, school,
                       provider->title[draft->language], lp_span(""));
            n++;
        }
    }
    add(draft, "</ul>\n");
}

static void
write_absent(draft_t *draft)
{
    add(draft, "<p><a href=\"/sso/login?choose=none&amp;return=");
    lp_text_query(&draft->body, draft->choice->back);
    add(draft, "\">");
    add_html(draft, draft->word->absent);
    add(draft, "</a></p>\n");
}
