/*
 * Which language: a choice that was made, else what the browser asks for. Of
 * its list only the two languages that there are pages in are looked at; a
 * list that names neither, or is garbage, means Dutch.
 */

#include "language.h"

#include "chars.h"

#define WEIGHT_MAX 1000 /* "q=1.000"; they are compared as thousandths */

typedef struct {
    int weight[LP_LANGUAGES]; /* -1: not named */
    int any;                  /* of "*"; -1: not named */
    int first;                /* named first; -1: none */
} wishes_t;

static const char *const tags[LP_LANGUAGES] = {"nl", "en"};

static int preferred(lp_span_t accept);
static void note_range(wishes_t *wishes, lp_span_t range);
static int range_language(lp_span_t range);
static int range_weight(lp_span_t parameters);
static lp_span_t trimmed(lp_span_t text);

const char *
lp_language_tag(lp_language_t language)
{
    return tags[language == LP_ENGLISH ? LP_ENGLISH : LP_DUTCH];
}

int
lp_language_find(lp_span_t tag)
{
    int language;

    for (language = 0; language < LP_LANGUAGES; language++) {
        if (lp_span_equal(tag, lp_span_of(tags[language]))) {
            return language;
        }
    }

    return -1;
}

lp_language_t
lp_language_choose(lp_span_t asked, lp_span_t cookie, lp_span_t accept)
{
    int language;

    language = lp_language_find(asked);

    if (language == -1) {
        language = lp_language_find(cookie);
    }

    if (language == -1) {
        language = preferred(accept);
    }

    return language == -1 ? LP_DUTCH : (lp_language_t) language;
}

/* -1: the header says nothing about either. */
static int
preferred(lp_span_t accept)
{
    wishes_t    wishes = {{-1, -1}, -1, -1};
    const char *comma;
    lp_span_t   range;
    int         l, other;

    while (accept.len > 0) {
        comma = memchr(accept.data, ',', accept.len);
        range.data = accept.data;
        range.len = comma == NULL ? accept.len
                                  : (size_t) (comma - accept.data);
        note_range(&wishes, range);

        if (comma == NULL) {
            break;
        }
        accept.data = comma + 1;
        accept.len -= range.len + 1;
    }

    for (l = 0; l < LP_LANGUAGES; l++) {
        if (wishes.weight[l] == -1) {
            wishes.weight[l] = wishes.any;
        }
    }

    l = wishes.first == -1 ? LP_DUTCH : wishes.first;
    other = l == LP_DUTCH ? LP_ENGLISH : LP_DUTCH;

    if (wishes.weight[other] > wishes.weight[l]) {
        l = other;
    }

    return wishes.weight[l] > 0 ? l : -1;
}

/* "nl-NL;q=0.8"; of several for a language the heaviest counts. */
static void
note_range(wishes_t *wishes, lp_span_t range)
{
    const char *end;
    lp_span_t   parameters = {NULL, 0};
    int         language, weight;

    range = trimmed(range);
    end = range.len == 0 ? NULL : memchr(range.data, ';', range.len);

    if (end != NULL) {
        parameters.data = end + 1;
        parameters.len = range.len - (size_t) (end + 1 - range.data);
        range.len = (size_t) (end - range.data);
        range = trimmed(range);
    }

    weight = range_weight(trimmed(parameters));
    if (weight == -1) {
        return;
    }

    if (lp_span_equal(range, lp_span("*"))) {
        wishes->any = weight;
        return;
    }

    language = range_language(range);
    if (language == -1) {
        return;
    }

    if (wishes->first == -1) {
        wishes->first = language;
    }
    if (weight > wishes->weight[language]) {
        wishes->weight[language] = weight;
    }
}

/* By the first subtag, in either case: "en", "en-GB", "EN-us". */
static int
range_language(lp_span_t range)
{
    int l;

    if (range.len < 2 || (range.len > 2 && range.data[2] != '-')) {
        return -1;
    }

    for (l = 0; l < LP_LANGUAGES; l++) {
        if ((range.data[0] | 0x20) == tags[l][0]
            && (range.data[1] | 0x20) == tags[l][1]) {
            return l;
        }
    }

    return -1;
}

/* "q=0.5" as 500; without parameters 1000; -1: not written so. */
static int
range_weight(lp_span_t parameters)
{
    size_t i;
    int    weight, unit;

    if (parameters.len == 0) {
        return WEIGHT_MAX;
    }

    if (parameters.len < 3 || parameters.len > sizeof("q=0.000") - 1
        || (parameters.data[0] | 0x20) != 'q' || parameters.data[1] != '='
        || (parameters.data[2] != '0' && parameters.data[2] != '1')
        || (parameters.len > 3 && parameters.data[3] != '.')) {
        return -1;
    }

    weight = (parameters.data[2] - '0') * WEIGHT_MAX;
    unit = WEIGHT_MAX / 10;

    for (i = 4; i < parameters.len; i++) {
        if (!lp_char_is((unsigned char) parameters.data[i], LP_CHAR_DIGIT)) {
            return -1;
        }
        weight += (parameters.data[i] - '0') * unit;
        unit /= 10;
    }

    return weight > WEIGHT_MAX ? -1 : weight;
}

/* Without blanks and tabs at its ends. */
static lp_span_t
trimmed(lp_span_t text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }

    while (text.len > 0
           && (text.data[text.len - 1] == ' '
               || text.data[text.len - 1] == '\t')) {
        text.len--;
    }

    return text;
}
