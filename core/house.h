/*
 * House styles: what pages look like for a school or a distributor: a name, a
 * link to help, two colours. pages.json (docs/pages.md):
 *
 *     {"default": {"name": "Leerpoort", "help": "https://...",
 *                  "helpText": {"nl": "...", "en": "..."},
 *                  "accent": "#1f5f8b", "accentDark": "#8cc4ec"},
 *      "schools": {"regenboog-0412": {...}}, "codes": "/code"}
 */

#ifndef LP_HOUSE_H
#define LP_HOUSE_H

#include "language.h"
#include "span.h"

#define LP_HOUSES_FILE_MAX (4 * 1024 * 1024) /* bytes: 10,000 schools */

typedef struct {
    lp_span_t name;                 /* of whom it is; never empty */
    lp_span_t help;                 /* https, mailto or tel URL; len 0: none */
    lp_span_t help_text[LP_LANGUAGES]; /* what the link says */
    lp_span_t style;                /* the whole of <style>, colours too */
    lp_span_t style_hash;           /* "sha256-...": for the CSP */
} lp_house_t;

typedef struct lp_houses_s lp_houses_t;

/*
 * text: the file; data NULL: the built-in style alone. NULL, and *reason (room
 * for LP_HOUSE_REASON_MAX) says what is wrong and where. Contrast of the
 * colours with their background is checked (WCAG: 4.5).
 */
#define LP_HOUSE_REASON_MAX 256
lp_houses_t *lp_houses_read(lp_span_t text, char *reason);

void lp_houses_free(lp_houses_t *houses);

/* That of the school, else the default; never NULL. school.len may be 0. */
const lp_house_t *lp_house_of(const lp_houses_t *houses, lp_span_t school);

/* The path of the page for activation codes; len 0: there is none. */
lp_span_t lp_houses_codes(const lp_houses_t *houses);

#endif
