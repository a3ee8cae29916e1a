/*
 * One style sheet for all pages, in which two colours differ from house to
 * house: the accent on light paper, and that on dark paper. Text in the accent
 * on the paper and text in the paper's colour on a button have the same
 * contrast, so that one check of each pair is enough.
 */

#include "house_style.h"

#include <openssl/evp.h>
#include <stdio.h>

#define CONTRAST_MIN 4.5
#define LIGHTER      16 /* steps from a colour to white */

static const char before_accent[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1a1c20;--soft:#555b66;"
    "--line:#c9ced6;--accent:";

static const char before_dark[] =
    "}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#15181d;--ink:#e8eaed;"
    "--soft:#b3bac4;--line:#474e59;--accent:";

static const char after_dark[] =
    "}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;border-top:.4rem solid var(--accent);"
    "background:var(--paper);color:var(--ink);"
    "font:1.0625rem/1.55 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "header,main,footer{max-width:42rem;margin:0 auto;padding:1rem 1.25rem}\n"
    "header{display:flex;flex-wrap:wrap;align-items:baseline;"
    "justify-content:space-between;"
    "gap:.25rem 1.5rem}\n"
    "header p{margin:0;font-weight:600}\n"
    "footer{border-top:1px solid var(--line);color:var(--soft)}\n"
    "h1{margin:.5rem 0 1rem;font-size:1.7rem;line-height:1.25}\n"
    "h2{margin:1.5rem 0 .25rem;font-size:1.1rem;line-height:1.35}\n"
    "p{margin:0 0 .75rem}\n"
    "a{color:var(--accent);text-underline-offset:.15em}\n"
    "header a,footer a,p>a:not(.button){display:inline-block;"
    "padding:.2rem 0}\n"
    ":focus-visible{outline:3px solid var(--accent);outline-offset:3px}\n"
    "form{margin:0 0 1rem}\n"
    ".button,button{display:inline-block;min-height:2.75rem;margin:.5rem 0;"
    "padding:.55rem 1.2rem;border:2px solid var(--accent);border-radius:.4rem;"
    "background:var(--accent);color:var(--paper);font:inherit;"
    "font-weight:600;text-decoration:none;cursor:pointer}\n"
    ".plain{background:var(--paper);color:var(--accent)}\n"
    "fieldset{margin:0 0 1rem;padding:0;border:0}\n"
    "label,legend{font-weight:600}\n"
    "input,select{min-height:1.5rem;font:inherit;accent-color:var(--accent)}\n"
    "input:not([type=checkbox],[type=radio]),select{display:block;"
    "width:100%;max-width:24rem;min-height:2.75rem;margin:.25rem 0 .75rem;"
    "padding:.5rem .7rem;border:2px solid var(--soft);border-radius:.4rem;"
    "background:var(--paper);color:var(--ink)}\n"
    "input[type=checkbox],input[type=radio]{width:1.5rem;"
    "margin:0 .5rem 0 0;vertical-align:middle}\n"
    ".list{margin:0 0 1rem;padding:0;list-style:none}\n"
    ".list>li{padding:.6rem 0;border-top:1px solid var(--line)}\n"
    ".list>li>a{display:inline-block;min-height:1.5rem;font-weight:600}\n"
    ".soft{color:var(--soft)}\n"
    ".state{display:inline-block;padding:0 .5rem;border:1px solid var(--soft);"
    "border-radius:1rem;font-size:.9rem}\n"
    ".code{margin:2rem 0 0;padding:.75rem 1rem;border:1px solid var(--line);"
    "border-radius:.4rem}\n"
    ".code p{margin:0}\n"
    ".code strong{font:600 1.35rem/1.6 ui-monospace,monospace;"
    "letter-spacing:.06em;white-space:nowrap}\n"
    ".aside{position:absolute;width:1px;height:1px;overflow:hidden;"
    "clip-path:inset(50%);white-space:nowrap;user-select:none}\n";

static double luminance(uint32_t colour);
static double linear(unsigned channel);

int32_t
lp_colour_read(lp_span_t text)
{
    int32_t colour;
    size_t  i;
    char    c;

    if (text.len != 7 || text.data[0] != '#') {
        return -1;
    }

    colour = 0;
    for (i = 1; i < text.len; i++) {
        c = text.data[i];
        if (c >= '0' && c <= '9') {
            colour = colour << 4 | (c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            colour = colour << 4 | ((c | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
    }

    return colour;
}

double
lp_colour_contrast(uint32_t a, uint32_t b)
{
    double light = luminance(a), dark = luminance(b), swap;

    if (light < dark) {
        swap = light;
        light = dark;
        dark = swap;
    }

    return (light + 0.05) / (dark + 0.05);
}

uint32_t
lp_colour_for_dark(uint32_t colour)
{
    uint32_t lighter, channel;
    unsigned step, shift;

    for (step = 0; step <= LIGHTER; step++) {
        lighter = 0;
        for (shift = 0; shift <= 16; shift += 8) {
            channel = colour >> shift & 0xff;
            channel += (255 - channel) * step / LIGHTER;
            lighter |= channel << shift;
        }
        if (lp_colour_contrast(lighter, LP_PAPER_DARK) >= CONTRAST_MIN) {
            break;
        }
    }

    return lighter;
}

/* Of WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
static double
luminance(uint32_t colour)
{
    return 0.2126 * linear(colour >> 16 & 0xff)
           + 0.7152 * linear(colour >> 8 & 0xff)
           + 0.0722 * linear(colour & 0xff);
}

/* A channel of sRGB as light: for most the power 2.4 of x, that is the fifth
   root of x^12, by Newton's method, which spares libm. */
static double
linear(unsigned channel)
{
    double x, power, root;
    int    i;

    x = channel / 255.0;
    if (x <= 0.04045) {
        return x / 12.92;
    }

    x = (x + 0.055) / 1.055;
    power = x * x * x;
    power *= power;
    power *= power;

    root = 1;
    for (i = 0; i < 64; i++) {
        root -= (root - power / (root * root * root * root)) / 5;
    }

    return root;
}

void
lp_style_write(lp_text_t *out, uint32_t accent, uint32_t accent_dark)
{
    char colour[sizeof("#rrggbb")];

    lp_text_add(out, lp_span(before_accent));
    snprintf(colour, sizeof(colour), "#%06x", (unsigned) accent & 0xffffff);
    lp_text_add(out, lp_span_of(colour));
    lp_text_add(out, lp_span(before_dark));
    snprintf(colour, sizeof(colour), "#%06x",
             (unsigned) accent_dark & 0xffffff);
    lp_text_add(out, lp_span_of(colour));
    lp_text_add(out, lp_span(after_dark));
}

size_t
lp_style_hash(char *dst, lp_span_t style)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char          text[64];
    unsigned      len;
    int           n;

    if (EVP_Digest(style.data, style.len, digest, &len, EVP_sha256(), NULL)
        != 1) {
        return 0;
    }

    n = EVP_EncodeBlock((unsigned char *) text, digest, (int) len);
    memcpy(dst, "sha256-", 7);
    memcpy(dst + 7, text, (size_t) n);

    return 7 + (size_t) n;
}
