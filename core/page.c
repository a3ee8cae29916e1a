/*
 * Writing a page: the frame, and the body of a problem's page. Every word that
 * is shown in two languages and belongs to the frame stands in one table.
 */

#include "page.h"

#include "chars.h"

#define RETRY_MIN    5 /* seconds */
#define RETRY_SPREAD 16
#define WEIGHT_MAX   1000
#define CODES_MAX    1024 /* bytes of the link to the page for codes */

/* The words of the frame. */
typedef struct {
    const char *other;      /* the other language, in that language */
    const char *languages;  /* what the switch is, for screen readers */
    const char *code;
    const char *code_hint;
    const char *what;       /* headings */
    const char *todo;
    const char *ask;
    const char *book;
    const char *from;       /* before a date */
    const char *codes;      /* about the page for activation codes */
    const char *codes_link;
    const char *again;
    const char *sign_in;    /* in its place, where the session is over */
    const char *by_itself;
    const char *window;     /* behind a link that opens one */
    const char *months[12];
} words_t;

static const words_t words[LP_LANGUAGES] = {
    [LP_DUTCH] = {
        "English", "Taal", "Hulpcode",
        "Vraag je iemand om hulp? Geef deze code door. In de code staat wat "
        "er misging, niet wie je bent.",
        "Wat is er gebeurd?", "Wat kun je doen?", "Wie kan je helpen?",
        "Het gaat om:", "Je kunt het openen vanaf",
        "Heb je een activatiecode van dit boek gekregen?",
        "Vul je activatiecode in", "Probeer het opnieuw", "Opnieuw inloggen",
        "Laat je deze pagina open? Dan proberen we het vanzelf nog een keer.",
        "(opent een nieuw venster)",
        {"januari", "februari", "maart", "april", "mei", "juni", "juli",
         "augustus", "september", "oktober", "november", "december"}},
    [LP_ENGLISH] = {
        "Nederlands", "Language", "Support code",
        "If you ask somebody for help, tell them this code. It says what went "
        "wrong, not who you are.",
        "What happened?", "What can you do?", "Who can help you?",
        "This is about:", "You can open it from",
        "Were you given an activation code for this book?",
        "Fill in your activation code", "Try again", "Sign in again",
        "If you leave this page open, we will try once more by ourselves.",
        "(opens a new window)",
        {"January", "February", "March", "April", "May", "June", "July",
         "August", "September", "October", "November", "December"}}};

/* What a header Accept says of one type. */
typedef struct {
    int weight;    /* 0 to WEIGHT_MAX */
    int closeness; /* of the range: 3 the type, 1 any; 0: nothing is said */
} wish_t;

static void write_head(lp_text_t *out, const lp_page_t *page);
static void write_header(lp_text_t *out, const lp_page_t *page);
static void write_code(lp_text_t *out, const lp_page_t *page);
static void write_footer(lp_text_t *out, const lp_page_t *page);
static void write_body(lp_text_t *out, const lp_problem_page_t *page);
static void write_from(lp_text_t *out, uint32_t day, lp_language_t language);
static void write_todo(lp_text_t *out, const lp_problem_page_t *page);
static void add(lp_text_t *out, const char *text);
static void add_html(lp_text_t *out, const char *text);
static void heading(lp_text_t *out, const char *text);
static void link_to(lp_text_t *out, lp_span_t href, const char *text,
                    int window, lp_language_t language);
static void open_link(lp_text_t *out, int window);
static void close_link(lp_text_t *out, int window, lp_language_t language);
static lp_span_t next_part(lp_span_t *rest, char separator);
static void write_codes(lp_text_t *out, const lp_problem_page_t *page);
static void note_wish(wish_t *wish, int closeness, int weight);
static int closeness_json(lp_span_t type);
static int closeness_html(lp_span_t type);
static int weight_of(lp_span_t range, lp_span_t *type);
static int is_type(lp_span_t type, const char *name);

void
lp_page_write(lp_text_t *out, const lp_page_t *page)
{
    write_head(out, page);
    add(out, "<body>\n");
    write_header(out, page);
    add(out, "<main>\n<h1>");
    lp_text_html(out, page->title);
    add(out, "</h1>\n");
    lp_text_add(out, page->body);
    if (page->code.len > 0) {
        write_code(out, page);
    }
    add(out, "</main>\n");
    write_footer(out, page);
    add(out, "</body>\n</html>\n");
}

static void
write_head(lp_text_t *out, const lp_page_t *page)
{
    add(out, "<!doctype html>\n<html lang=\"");
    add(out, lp_language_tag(page->language));
    add(out, "\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" "
             "content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    lp_text_html(out, page->title);
    add(out, " - ");
    lp_text_html(out, page->house->name);
    add(out, "</title>\n<style>");
    lp_text_add(out, page->house->style);
    add(out, "</style>\n</head>\n");
}

static void
write_header(lp_text_t *out, const lp_page_t *page)
{
    const words_t *word = &words[page->language];
    const char    *tag;

    add(out, "<header>\n<p>");
    lp_text_html(out, page->house->name);
    add(out, "</p>\n");

    if (page->other.len > 0) {
        tag = lp_language_tag(page->language == LP_DUTCH ? LP_ENGLISH
                                                         : LP_DUTCH);
        add(out, "<nav aria-label=\"");
        add(out, word->languages);
        add(out, "\"><a href=\"");
        lp_text_html(out, page->other);
        add(out, "\" lang=\"");
        add(out, tag);
        add(out, "\" hreflang=\"");
        add(out, tag);
        add(out, "\">");
        add(out, word->other);
        add(out, "</a></nav>\n");
    }

    add(out, "</header>\n");
}

/* To be read: two groups of five; to be heard: one character at a time. */
static void
write_code(lp_text_t *out, const lp_page_t *page)
{
    const words_t *word = &words[page->language];
    size_t         i;

    add(out, "<div class=\"code\" role=\"group\" aria-label=\"");
    add(out, word->code);
    add(out, "\">\n<p>");
    add(out, word->code);
    add(out, ": <strong aria-hidden=\"true\">");
    lp_text_html(out, page->code);
    add(out, "</strong><span class=\"aside\">");

    for (i = 0; i < page->code.len; i++) {
        if (page->code.data[i] == '-') {
            add(out, ",");
            continue;
        }
        add(out, i > 0 ? " " : "");
        lp_text_html(out, (lp_span_t) {&page->code.data[i], 1});
    }

    add(out, "</span></p>\n<p class=\"soft\">");
    add_html(out, word->code_hint);
    add(out, "</p>\n</div>\n");
}

static void
write_footer(lp_text_t *out, const lp_page_t *page)
{
    const lp_house_t *house = page->house;

    if (house->help.len == 0) {
        return;
    }

    add(out, "<footer>\n<a href=\"");
    lp_text_html(out, house->help);
    open_link(out, page->framed);
    lp_text_html(out, house->help_text[page->language]);
    close_link(out, page->framed, page->language);
    add(out, "\n</footer>\n");
}

/* A frame shows neither pages of other sites that refuse to be framed, nor
   those of ours that need a cookie. */
static void
open_link(lp_text_t *out, int window)
{
    add(out, window ? "\" target=\"_blank\" rel=\"noopener\">" : "\">");
}

static void
close_link(lp_text_t *out, int window, lp_language_t language)
{
    if (window) {
        add(out, "<span class=\"aside\"> ");
        add(out, words[language].window);
        add(out, "</span>");
    }
    add(out, "</a>");
}

void
lp_page_problem(lp_text_t *out, const lp_problem_page_t *problem)
{
    char      body[LP_PAGE_MAX];
    lp_text_t text = lp_text_in(body, sizeof(body));
    lp_page_t page;

    write_body(&text, problem);
    out->full |= text.full;

    page.language = problem->language;
    page.house = problem->house;
    page.title = lp_span_of(
        lp_problem_text(problem->problem, problem->language)->title);
    page.body = lp_text_span(&text);
    page.other = problem->other;
    page.code = problem->code;
    page.framed = problem->framed;

    lp_page_write(out, &page);
}

static void
write_body(lp_text_t *out, const lp_problem_page_t *page)
{
    const lp_problem_text_t *text;
    const words_t           *word = &words[page->language];

    text = lp_problem_text(page->problem, page->language);

    if (page->book.len > 0) {
        add(out, "<p>");
        add(out, word->book);
        add(out, " <strong>");
        lp_text_html(out, page->book);
        add(out, "</strong></p>\n");
    }

    heading(out, word->what);
    lp_text_paragraph(out, text->what);
    if (page->from != 0) {
        write_from(out, page->from, page->language);
    }

    heading(out, word->todo);
    lp_text_paragraph(out, text->todo);
    write_todo(out, page);

    if (text->ask != NULL) {
        heading(out, word->ask);
        lp_text_paragraph(out, text->ask);
    }
}

static void
write_from(lp_text_t *out, uint32_t day, lp_language_t language)
{
    add(out, "<p>");
    add(out, words[language].from);
    add(out, " <strong>");
    lp_page_date(out, day, language);
    add(out, "</strong>.</p>\n");
}

void
lp_page_date(lp_text_t *out, uint32_t day, lp_language_t language)
{
    unsigned month = day / 100 % 100;

    if (month < 1 || month > 12) {
        return;
    }

    lp_text_number(out, day % 100);
    add(out, " ");
    add(out, words[language].months[month - 1]);
    add(out, " ");
    lp_text_number(out, day / 10000);
}

/* What there is to press. */
static void
write_todo(lp_text_t *out, const lp_problem_page_t *page)
{
    const words_t *word = &words[page->language];

    if (page->codes.len > 0 && page->problem == lp_problem_of(LP_NO_RIGHT)) {
        lp_text_paragraph(out, word->codes);
        write_codes(out, page);
    }

    if (page->again.len > 0) {
        if (lp_problem_passes(page->problem)) {
            lp_text_paragraph(out, word->by_itself);
        }
        link_to(out, page->again,
                page->problem == LP_PROBLEM_SESSION_EXPIRED ? word->sign_in
                                                            : word->again,
                0, page->language);
    }
}

/* The page for codes is told which book it is about. */
static void
write_codes(lp_text_t *out, const lp_problem_page_t *page)
{
    char      bytes[CODES_MAX];
    lp_text_t href = lp_text_in(bytes, sizeof(bytes));

    lp_text_add(&href, page->codes);
    if (page->product.len > 0) {
        add(&href, memchr(page->codes.data, '?', page->codes.len) == NULL
                       ? "?product=" : "&product=");
        lp_text_query(&href, page->product);
    }

    link_to(out, href.full ? page->codes : lp_text_span(&href),
            words[page->language].codes_link, page->framed, page->language);
}

void
lp_page_csp(lp_text_t *out, const lp_house_t *house, lp_span_t forms,
            lp_span_t frames)
{
    add(out, "default-src 'none'; style-src '");
    lp_text_add(out, house->style_hash);
    add(out, "'; base-uri 'none'; form-action 'self'");
    if (forms.len > 0) {
        add(out, " ");
        lp_text_add(out, forms);
    }
    add(out, "; frame-ancestors ");
    lp_text_add(out, frames.len > 0 ? frames : lp_span("'none'"));
}

/* The English sentences have neither quotes nor backslashes: a test looks. */
void
lp_page_json(lp_text_t *out, lp_problem_t problem)
{
    add(out, "{\"status\":");
    lp_text_number(out, lp_problem_eduv(problem));
    add(out, ",\"statusMessage\":\"");
    add(out, lp_problem_name(problem));
    add(out, ": ");
    add(out, lp_problem_text(problem, LP_ENGLISH)->what);
    add(out, "\"}\n");
}

void
lp_page_switch(lp_text_t *out, lp_span_t query, lp_language_t language)
{
    lp_span_t part;

    add(out, "?");

    while (query.len > 0) {
        part = next_part(&query, '&');
        if (part.len > 0
            && (part.len < 5 || memcmp(part.data, "lang=", 5) != 0)) {
            lp_text_add(out, part);
            add(out, "&");
        }
    }

    add(out, "lang=");
    add(out, lp_language_tag(language));
}

/* Alike: what is named more closely; programs and browsers end in "any". */
int
lp_page_wants_json(lp_span_t accept)
{
    lp_span_t range, type;
    wish_t    json = {0, 0}, html = {0, 0};
    int       weight;

    while (accept.len > 0) {
        range = next_part(&accept, ',');
        weight = weight_of(range, &type);

        note_wish(&json, closeness_json(type), weight);
        note_wish(&html, closeness_html(type), weight);
    }

    if (json.weight != html.weight) {
        return json.weight > html.weight;
    }

    return json.weight > 0 && json.closeness > html.closeness;
}

/* The closest range counts, and of two the heavier (RFC 9110 section 12.5.1).
   closeness 0: the range is not about it. */
static void
note_wish(wish_t *wish, int closeness, int weight)
{
    if (closeness > wish->closeness
        || (closeness == wish->closeness && closeness > 0
            && weight > wish->weight)) {
        wish->closeness = closeness;
        wish->weight = weight;
    }
}

/* Any kind of JSON: who asks for problem details reads ours sooner than
   HTML. */
static int
closeness_json(lp_span_t type)
{
    static const lp_span_t suffix = {"+json", 5};

    if (is_type(type, "application/json")
        || (type.len > suffix.len
            && is_type((lp_span_t) {type.data + type.len - suffix.len,
                                    suffix.len},
                       suffix.data))) {
        return 3;
    }

    return is_type(type, "application/*") ? 2 : is_type(type, "*/*");
}

static int
closeness_html(lp_span_t type)
{
    if (is_type(type, "text/html")
        || is_type(type, "application/xhtml+xml")) {
        return 3;
    }

    return is_type(type, "text/*") ? 2 : is_type(type, "*/*");
}

/* "application/json; charset=utf-8; q=0.5": its type, and 500. What is not
   written as a weight is none: 1000. */
static int
weight_of(lp_span_t range, lp_span_t *type)
{
    lp_span_t part;
    size_t    i;
    int       weight = WEIGHT_MAX, unit = WEIGHT_MAX / 10;

    *type = next_part(&range, ';');

    while (range.len > 0) {
        part = next_part(&range, ';');
        if (part.len < 3 || (part.data[0] | 0x20) != 'q'
            || part.data[1] != '=' || part.data[2] != '0') {
            continue;
        }
        weight = 0;
        for (i = 4; i < part.len && i < 7; i++) {
            if (lp_char_is((unsigned char) part.data[i], LP_CHAR_DIGIT)) {
                weight += (part.data[i] - '0') * unit;
            }
            unit /= 10;
        }
    }

    return weight;
}

static int
is_type(lp_span_t type, const char *name)
{
    size_t i;
    char   c;

    if (type.len != strlen(name)) {
        return 0;
    }

    for (i = 0; i < type.len; i++) {
        c = type.data[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char) (c | 0x20);
        }
        if (c != name[i]) {
            return 0;
        }
    }

    return 1;
}

/* Takes what is before the separator from *rest, without blanks around it. */
static lp_span_t
next_part(lp_span_t *rest, char separator)
{
    const char *end = memchr(rest->data, separator, rest->len);
    lp_span_t   part = *rest;

    if (end == NULL) {
        rest->len = 0;
    } else {
        part.len = (size_t) (end - part.data);
        rest->data = end + 1;
        rest->len -= part.len + 1;
    }

    while (part.len > 0 && (part.data[0] == ' ' || part.data[0] == '\t')) {
        part.data++;
        part.len--;
    }
    while (part.len > 0
           && (part.data[part.len - 1] == ' '
               || part.data[part.len - 1] == '\t')) {
        part.len--;
    }

    return part;
}

unsigned
lp_page_retry(unsigned random)
{
    return RETRY_MIN + random % RETRY_SPREAD;
}

static void
add(lp_text_t *out, const char *text)
{
    lp_text_add(out, lp_span_of(text));
}

static void
add_html(lp_text_t *out, const char *text)
{
    lp_text_html(out, lp_span_of(text));
}

static void
heading(lp_text_t *out, const char *text)
{
    add(out, "<h2>");
    add_html(out, text);
    add(out, "</h2>\n");
}

static void
link_to(lp_text_t *out, lp_span_t href, const char *text, int window,
        lp_language_t language)
{
    add(out, "<p><a class=\"button\" href=\"");
    lp_text_html(out, href);
    open_link(out, window);
    add_html(out, text);
    close_link(out, window, language);
    add(out, "</p>\n");
}
