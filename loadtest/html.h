/*
 * Writing a page: one file that needs nothing else, and into which no foreign
 * text gets as anything but text.
 *
 * Markup is written with fputs() and literals, or with fprintf() and numbers;
 * every text that is not a literal of ours goes through a function of this
 * file. The page is well-formed XML too, so that a test can read it strictly.
 */

#ifndef LP_HTML_H
#define LP_HTML_H

#include <stdio.h>

#define LP_HTML_TEXT_MAX 1024 /* of one formatted text, the rest is cut */

/* A page in memory until it is whole. */
typedef struct {
    FILE  *out;
    char  *bytes;
    size_t len;
} lp_html_t;

/* Writes the head, to and including <main>. title: any text. Returns 0; -1
   after lp_say(). */
int lp_html_open(lp_html_t *html, const char *title);

/* Ends the page and writes it as folder/name. Returns 0; -1 after lp_say(),
   and then what was there before still is. */
int lp_html_close(lp_html_t *html, const char *folder, const char *name);

/* Forgets the page. Returns -1. */
int lp_html_drop(lp_html_t *html);

/* Writes text: the five characters of markup as entities; control characters,
   those that turn the direction of writing, and what is no UTF-8 as U+FFFD. */
void lp_html_text(FILE *out, const char *text);

/* The same of a formatted text. */
void lp_html_textf(FILE *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* <tag class="class">text</tag>; class NULL: none. Tag and class are ours. */
void lp_html_element(FILE *out, const char *tag, const char *class,
                     const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* <th scope="col">, or with row <th scope="row">. */
void lp_html_heading(FILE *out, const char *scope, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The style sheet of every page (page_style.c). */
extern const char lp_html_style[];

#endif
