/*
 * The style sheet of the pages, and which colours may be put into it.
 */

#ifndef LP_HOUSE_STYLE_H
#define LP_HOUSE_STYLE_H

#include <stdint.h>

#include "span.h"
#include "text.h"

#define LP_STYLE_MAX      4096 /* bytes of a style sheet */
#define LP_STYLE_HASH_MAX 56   /* "sha256-" and 44 characters of Base64 */

/* What a school's colours stand on: light and dark paper. 0xRRGGBB. */
#define LP_PAPER      0xffffffu
#define LP_PAPER_DARK 0x15181du

/* "#1f5f8b"; -1: not written so. */
int32_t lp_colour_read(lp_span_t text);

/* The contrast of two colours (WCAG 2.2): 1 to 21. */
double lp_colour_contrast(uint32_t a, uint32_t b);

/* The colour, or where it is too dark for dark paper a lighter one. */
uint32_t lp_colour_for_dark(uint32_t colour);

/* The whole of <style>. */
void lp_style_write(lp_text_t *out, uint32_t accent, uint32_t accent_dark);

/* "sha256-...", for the CSP: LP_STYLE_HASH_MAX bytes at most, no NUL. Returns
   the length; 0: memory ran out. */
size_t lp_style_hash(char *dst, lp_span_t style);

#endif
