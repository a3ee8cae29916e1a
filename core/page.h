/*
 * A page for people: one frame around every page of Leerpoort, at the edge and
 * in the workers, without scripts, under 20 kB. WCAG 2.2 AA; dark mode; a
 * telephone's width.
 */

#ifndef LP_PAGE_H
#define LP_PAGE_H

#include <stdint.h>

#include "house.h"
#include "problem.h"
#include "text.h"

#define LP_PAGE_MAX   (20 * 1024) /* bytes; lists of books may be longer */
#define LP_PAGE_CSP_MAX 512

typedef struct {
    lp_language_t     language;
    const lp_house_t *house;
    lp_span_t         title; /* plain text: <title> and <h1> */
    lp_span_t         body;  /* HTML below the <h1>; escaped by its writer */
    lp_span_t         other; /* href of this page in the other language;
                                len 0: no switch */
    lp_span_t         code;  /* the support code; len 0: none */
    int               framed; /* in another site's frame: what can't be shown
                                 there opens a window */
} lp_page_t;

/*
 * What a body may use of the style sheet, beside plain elements: the classes
 * "button" (of a link that is one), "plain" (of a button that is not the first
 * choice), "list" (a <ul> of things to choose), "state" (a word in a frame),
 * "soft" (what matters less) and "aside" (for screen readers alone).
 */
void lp_page_write(lp_text_t *out, const lp_page_t *page);

/* YYYYMMDD as "1 september 2026"; nothing where it is no day. */
void lp_page_date(lp_text_t *out, uint32_t day, lp_language_t language);

typedef struct {
    lp_problem_t      problem;
    lp_language_t     language;
    const lp_house_t *house;
    lp_span_t         book;   /* the product's name, else its id; len 0: none */
    uint32_t          from;   /* not-yet: first day; YYYYMMDD; 0: not known */
    lp_span_t         again;  /* href that tries again; len 0: none */
    lp_span_t         other;  /* as above */
    lp_span_t         code;
    lp_span_t         codes;  /* path of the page for activation codes, which
                                 "no right" mentions; len 0: none */
    lp_span_t         product; /* the id that it is told; len 0: none */
    int               framed; /* as above */
} lp_problem_page_t;

/* The whole page of a problem. */
void lp_page_problem(lp_text_t *out, const lp_problem_page_t *problem);

/*
 * The header Content-Security-Policy: nothing but the page's own style, forms
 * to this site. forms: further origins that forms may go to; frames: origins
 * that may frame the page; both separated by blanks, len 0: none.
 */
void lp_page_csp(lp_text_t *out, const lp_house_t *house, lp_span_t forms,
                 lp_span_t frames);

/* Edu-V's {"status", "statusMessage"} of a problem, for machines. */
void lp_page_json(lp_text_t *out, lp_problem_t problem);

/*
 * The href of the page with this query in another language: "?" and the query
 * with its "lang" replaced. It has no path, so that it can't lead elsewhere
 * whatever the path is. Not escaped.
 */
void lp_page_switch(lp_text_t *out, lp_span_t query, lp_language_t language);

/* 1 where the header Accept asks for JSON, of whatever kind, rather than for
   HTML: a machine. */
int lp_page_wants_json(lp_span_t accept);

/* The header Refresh's seconds: 5 to 20, so that those who were turned away
   together do not come back together. */
unsigned lp_page_retry(unsigned random);

#endif
