/*
 * What a house style may say of itself: texts that people see, and the link to
 * help.
 */

#ifndef LP_HOUSE_TEXT_H
#define LP_HOUSE_TEXT_H

#include "span.h"

#define LP_HOUSE_LINK_MAX 512 /* bytes */

/* 1: not too long, something but blanks, and without control characters:
   neither ASCII's nor those of Unicode, which turn the direction of all that
   follows. text: UTF-8. */
int lp_house_text(lp_span_t text, size_t max);

/* 1: "https://", "mailto:" or "tel:", then a letter or digit (or a telephone's
   +), and nothing that a URL has to encode. */
int lp_house_link(lp_span_t text);

#endif
