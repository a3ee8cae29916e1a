/*
 * What a teacher sees. One form holds the search box, what was found and what
 * is chosen, so that a search loses no choice and nothing needs a script or a
 * cookie. Where the platform takes one item alone, radio buttons stand in the
 * place of checkboxes. A page that answers a form has no address: its switch to
 * the other language is a button that sends the form as it stands.
 */

#include "pick_page.h"

#include <stdlib.h>

#include "lti_answer.h"

#define FRAME_MAX 4096 /* bytes of a page around its rows */
#define ROW_MAX   1024 /* bytes of a row without its texts */
#define ESCAPED   6    /* bytes of an escaped one */

typedef struct {
    const char *title;  /* before the platform's name */
    const char *lead;
    const char *search, *search_hint, *search_do;
    const char *chosen, *found, *found_first, *nothing, *more;
    const char *chapters, *part, *part_hint, *part_or_whole, *cut;
    const char *put; /* before the platform's name */
    const char *cancel;
    const char *languages, *other; /* the other one's name, in that language */
    const char *says[LP_PICK_SAYS_TOO_MANY + 1]; /* as lp_pick_says_t */
} words_t;

static const words_t words[LP_LANGUAGES] = {
    [LP_DUTCH] = {
        "Kies boeken voor ",
        "Zoek een boek, vink aan wat je leerlingen nodig hebben, en zet het "
        "klaar.",
        "Zoek op titel of nummer", "Hoofdletters en accenten maken niets uit.",
        "Zoeken",
        "Gekozen", "Gevonden", "Boeken", "Niets gevonden.",
        "Er zijn er meer. Zoek preciezer om ze te zien.",
        "Hoofdstukken", "Alleen een deel", "Het pad van een pagina in het "
        "boek, als je dat weet.", "Laat het leeg voor het hele boek.",
        "Zoek preciezer om de hoofdstukken te zien.",
        "Zet in ", "Annuleren",
        "Taal", "English",
        {"", "Kies eerst een boek of een hoofdstuk.",
         "Dit pad kan niet: ",
         "Van dat boek kan alleen een deel open: vul een pad in.",
         "Dat zijn er te veel: kies er hoogstens 50 tegelijk."}},
    [LP_ENGLISH] = {
        "Choose books for ",
        "Search for a book, tick what your pupils need, and put it in place.",
        "Search by title or number", "Capitals and accents make no "
        "difference.",
        "Search",
        "Chosen", "Found", "Books", "Nothing was found.",
        "There are more. Search more precisely to see them.",
        "Chapters", "A part alone", "The path of a page in the book, if you "
        "know it.", "Leave it empty for the whole book.",
        "Search more precisely to see the chapters.",
        "Put into ", "Cancel",
        "Language", "Nederlands",
        {"", "Choose a book or a chapter first.", "This path can't be used: ",
         "Only a part of that book can be opened: fill in a path.",
         "That is too many: choose 50 at once at most."}}};

typedef struct {
    lp_visit_t           *visit;
    const lp_pick_view_t *view;
    const words_t        *word;
    lp_language_t         language;
    size_t                chapters; /* of the books that have them so far */
    lp_text_t             body;
    char                 *bytes;
} page_t;

static int begin(page_t *page, lp_visit_t *visit, const lp_pick_view_t *view);
static size_t size_of(const lp_pick_view_t *view);
static void send(page_t *page);
static void write_says(page_t *page);
static void write_search(page_t *page);
static void write_chosen(page_t *page);
static void write_found(page_t *page);
static int is_chosen(const page_t *page, const lp_offer_t *offer,
                     lp_span_t path);
static void write_offer(page_t *page, const lp_offer_t *offer);
static void write_choice(page_t *page, const lp_offer_t *offer, lp_span_t path,
                         lp_span_t title, int checked);
static void write_chapters(page_t *page, const lp_offer_t *offer);
static void write_part(page_t *page, const lp_offer_t *offer);
static void write_buttons(page_t *page);
static void write_switch(page_t *page);
static void add_action(page_t *page, lp_span_t language);

void
lp_pick_show(lp_visit_t *visit, const lp_pick_view_t *view)
{
    page_t page;
    char   language[8];

    if (begin(&page, visit, view) != 0) {
        return;
    }
    if (lp_request_query(&visit->request, "lang", language, sizeof(language))
        != 0) {
        language[0] = '\0';
    }
    write_says(&page);
    lp_text_add(&page.body, lp_span("<form method=\"post\" action=\""));
    add_action(&page, lp_span_of(language));
    lp_text_add(&page.body, lp_span("\">\n<input type=\"hidden\" "
                                    "name=\"pick\" value=\""));
    lp_text_html(&page.body, view->secret);
    lp_text_add(&page.body, lp_span("\">\n"));
    write_search(&page);
    write_chosen(&page);
    write_found(&page);
    write_buttons(&page);
    write_switch(&page);
    lp_text_add(&page.body, lp_span("</form>\n"));
    send(&page);
}

/* -1 after answering: no memory. */
static int
begin(page_t *page, lp_visit_t *visit, const lp_pick_view_t *view)
{
    size_t size = size_of(view);

    memset(page, 0, sizeof(*page));
    page->visit = visit;
    page->view = view;
    page->language = lp_request_language(&visit->request);
    page->word = &words[page->language];
    page->bytes = malloc(size);
    page->body = lp_text_in(page->bytes, size);
    if (page->bytes == NULL) {
        lp_lti_unavailable(visit, view->platform);
        return -1;
    }
    return 0;
}

/* A book's chapters stand there all, or not at all. */
static int
is_room(size_t chapters, const lp_offer_t *offer)
{
    return chapters == 0
           || chapters + offer->chapters->elements <= LP_OFFERS_CHAPTERS;
}

/* Enough for every text escaped, wherever it is shown. */
static size_t
size_of(const lp_pick_view_t *view)
{
    const lp_offer_t *offer;
    lp_span_t         path, title;
    size_t            size = FRAME_MAX, chapters = 0, k;
    unsigned          i;

    size += ESCAPED * (LP_PICK_QUERY_MAX + view->form->bad_path.len
                       + 8 * view->platform->title[0].len
                       + 8 * view->platform->title[1].len);
    for (i = 0; i < view->offers->n; i++) {
        offer = &view->offers->list[i];
        size += 2 * ROW_MAX + ESCAPED * (offer->name.len + 300);
        if (i < view->form->n || offer->chapters == NULL
            || !is_room(chapters, offer)) {
            continue;
        }
        chapters += offer->chapters->elements;
        for (k = 0; k < offer->chapters->elements; k++) {
            if (lp_offer_chapter(offer, k, &path, &title) == 0) {
                size += ROW_MAX + ESCAPED * (path.len + title.len);
            }
        }
    }
    for (i = 0; i < view->form->n; i++) {
        size += 2 * ROW_MAX + 2 * ESCAPED * view->form->items[i].path.len
                + ESCAPED * 400;
    }
    return size;
}

static void
add(page_t *page, const char *text)
{
    lp_text_add(&page->body, lp_span_of(text));
}

static void
add_html(page_t *page, const char *text)
{
    lp_text_html(&page->body, lp_span_of(text));
}

static void
add_name(page_t *page)
{
    lp_text_html(&page->body, page->view->platform->title[page->language]);
}

static void
send(page_t *page)
{
    const lp_platform_t *platform = page->view->platform;
    lp_page_look_t       look;
    lp_text_t            title;
    char                 head[512];

    memset(&look, 0, sizeof(look));
    look.houses = page->visit->sso->houses;
    look.frames = platform->frames;
    look.platform = platform->name;
    title = lp_text_in(head, sizeof(head));
    lp_text_add(&title, lp_span_of(page->word->title));
    lp_text_add(&title, platform->title[page->language]);
    if (page->body.full || title.full) {
        lp_lti_unavailable(page->visit, platform);
    } else {
        lp_answer_page(&page->visit->request, 200, &look,
                       lp_text_span(&title), lp_text_span(&page->body));
    }
    free(page->bytes);
}

static void
write_says(page_t *page)
{
    lp_pick_says_t says = page->view->says;

    if (says == LP_PICK_SAYS_NOTHING) {
        lp_text_paragraph(&page->body, page->word->lead);
        return;
    }
    add(page, "<p role=\"alert\"><strong>");
    add_html(page, page->word->says[says]);
    if (says == LP_PICK_SAYS_BAD_PATH) {
        lp_text_html(&page->body, page->view->form->bad_path);
    }
    add(page, "</strong></p>\n");
}

/* The first button of the form, which the key Enter presses. */
static void
write_search(page_t *page)
{
    add(page, "<label for=\"q\">");
    add_html(page, page->word->search);
    add(page, "</label>\n<input id=\"q\" name=\"q\" type=\"search\" "
              "maxlength=\"100\" autocomplete=\"off\" "
              "aria-describedby=\"q-hint\" value=\"");
    lp_text_html(&page->body, page->view->form->query);
    add(page, "\">\n<p id=\"q-hint\" class=\"soft\">");
    add_html(page, page->word->search_hint);
    add(page, "</p>\n<button type=\"submit\" name=\"do\" value=\"search\">");
    add_html(page, page->word->search_do);
    add(page, "</button>\n");
}

static void
write_chosen(page_t *page)
{
    const lp_pick_form_t *form = page->view->form;
    const lp_offer_t     *offer;
    lp_span_t             title;
    unsigned              i;

    if (form->n == 0) {
        return;
    }
    add(page, "<fieldset>\n<legend>");
    add_html(page, page->word->chosen);
    add(page, "</legend>\n<ul class=\"list\">\n");
    for (i = 0; i < form->n; i++) {
        offer = &page->view->offers->list[i];
        (void) lp_offer_has(offer, form->items[i].path, &title);
        add(page, "<li>");
        write_choice(page, offer, form->items[i].path, title, 1);
        add(page, "</li>\n");
    }
    add(page, "</ul>\n</fieldset>\n");
}

static void
write_found(page_t *page)
{
    const lp_offers_t *offers = page->view->offers;
    unsigned           i, shown = 0;

    add(page, "<fieldset>\n<legend>");
    add_html(page, page->view->form->query.len > 0 ? page->word->found
                                                   : page->word->found_first);
    add(page, "</legend>\n<ul class=\"list\">\n");
    for (i = page->view->form->n; i < offers->n; i++) {
        if (offers->list[i].linked || offers->list[i].deep) {
            write_offer(page, &offers->list[i]);
            shown++;
        }
    }
    add(page, "</ul>\n");
    if (shown == 0) {
        lp_text_paragraph(&page->body, page->word->nothing);
    }
    if (page->view->more) {
        lp_text_paragraph(&page->body, page->word->more);
    }
    add(page, "</fieldset>\n");
}

static int
is_chosen(const page_t *page, const lp_offer_t *offer, lp_span_t path)
{
    const lp_pick_form_t *form = page->view->form;
    unsigned              i;

    for (i = 0; i < form->n; i++) {
        if (lp_span_equal(form->items[i].product, offer->product)
            && lp_span_equal(form->items[i].path, path)) {
            return 1;
        }
    }
    return 0;
}

/* What is chosen already stands above, and not here a second time. */
static void
write_offer(page_t *page, const lp_offer_t *offer)
{
    lp_span_t whole = {NULL, 0};

    add(page, "<li>");
    if ((offer->linked || offer->chapters == NULL)
        && !is_chosen(page, offer, whole)) {
        write_choice(page, offer, whole, whole, 0);
    } else {
        add(page, "<strong>");
        lp_text_html(&page->body, offer->name);
        add(page, "</strong>");
    }
    if (offer->chapters != NULL) {
        write_chapters(page, offer);
    } else if (offer->deep && !is_chosen(page, offer, whole)) {
        write_part(page, offer);
    }
    add(page, "</li>\n");
}

/* title.len 0 and a path: one that was typed by hand. */
static void
write_choice(page_t *page, const lp_offer_t *offer, lp_span_t path,
             lp_span_t title, int checked)
{
    add(page, page->view->pick->multiple ? "<label><input type=\"checkbox\""
                                         : "<label><input type=\"radio\"");
    add(page, " name=\"item\" value=\"");
    lp_text_html(&page->body, offer->product);
    if (path.len > 0) {
        add(page, "/");
        lp_text_html(&page->body, path);
    }
    add(page, checked ? "\" checked>" : "\">");
    if (path.len == 0 || checked) {
        lp_text_html(&page->body, offer->name);
    }
    if (path.len > 0) {
        add(page, checked ? ": " : "");
        lp_text_html(&page->body, title.len > 0 ? title : path);
    }
    add(page, "</label>");
}

static void
write_chapters(page_t *page, const lp_offer_t *offer)
{
    lp_span_t path, title;
    size_t    i;

    if (!is_room(page->chapters, offer)) {
        add(page, "<p class=\"soft\">");
        add_html(page, page->word->cut);
        add(page, "</p>\n");
        return;
    }
    add(page, "\n<details><summary>");
    add_html(page, page->word->chapters);
    add(page, "<span class=\"aside\"> ");
    lp_text_html(&page->body, offer->name);
    add(page, "</span></summary>\n<ul class=\"list\">\n");
    page->chapters += offer->chapters->elements;
    for (i = 0; i < offer->chapters->elements; i++) {
        if (lp_offer_chapter(offer, i, &path, &title) == 0
            && !is_chosen(page, offer, path)) {
            add(page, "<li>");
            write_choice(page, offer, path, title, 0);
            add(page, "</li>\n");
        }
    }
    add(page, "</ul>\n</details>\n");
}

/* A path by hand counts where the product is ticked. */
static void
write_part(page_t *page, const lp_offer_t *offer)
{
    add(page, "\n<details><summary>");
    add_html(page, page->word->part);
    add(page, "<span class=\"aside\"> ");
    lp_text_html(&page->body, offer->name);
    add(page, "</span></summary>\n<label>");
    add_html(page, page->word->part_hint);
    if (offer->linked) {
        add(page, " ");
        add_html(page, page->word->part_or_whole);
    }
    add(page, "\n<input type=\"text\" maxlength=\"512\" autocomplete=\"off\" "
              "spellcheck=\"false\" name=\"path.");
    lp_text_html(&page->body, offer->product);
    add(page, "\"></label></details>\n");
}

static void
write_buttons(page_t *page)
{
    add(page, "<p><button type=\"submit\" name=\"do\" value=\"put\">");
    add_html(page, page->word->put);
    add_name(page);
    add(page, "</button>\n<button type=\"submit\" class=\"plain\" "
              "name=\"do\" value=\"cancel\">");
    add_html(page, page->word->cancel);
    add(page, "</button></p>\n");
}

/* Behind the other buttons: the key Enter presses the first one. */
static void
write_switch(page_t *page)
{
    lp_language_t other = page->language == LP_DUTCH ? LP_ENGLISH : LP_DUTCH;

    add(page, "<nav aria-label=\"");
    add_html(page, page->word->languages);
    add(page, "\"><button type=\"submit\" class=\"plain\" lang=\"");
    add(page, lp_language_tag(other));
    add(page, "\" formaction=\"");
    add_action(page, lp_span_of(lp_language_tag(other)));
    add(page, "\">");
    add_html(page, page->word->other);
    add(page, "</button></nav>\n");
}

/* The language that was chosen goes along: frames keep no cookie. */
static void
add_action(page_t *page, lp_span_t language)
{
    add(page, "/lti/pick?in=");
    lp_text_add(&page->body, page->view->platform->name);
    if (lp_language_find(language) != -1) {
        add(page, "&amp;lang=");
        lp_text_add(&page->body, language);
    }
}
