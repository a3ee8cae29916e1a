/*
 * The right record as text. A record is short, so that a pupil's rights stay
 * one packed hash in Redis, and has one spelling: what parses formats back
 * to the same bytes.
 */

#include "right.h"

#include "base64url.h"
#include "chars.h"
#include "day.h"

#define DAY_LEN         8
#define ENTITLEMENT_RAW 16

static int state_read(lp_span_t *text, lp_state_t *state);
static int space_read(lp_span_t *text);
static int day_read(lp_span_t *text, uint32_t *day);
static int entitlement_read(lp_span_t text, char *entitlement);
static char *day_write(char *p, uint32_t day);
static void skip(lp_span_t *text, size_t n);

int
lp_right_parse(lp_right_t *right, lp_span_t text)
{
    lp_right_t read;

    if (state_read(&text, &read.state) != 0
        || space_read(&text) != 0
        || day_read(&text, &read.from) != 0
        || space_read(&text) != 0
        || day_read(&text, &read.until) != 0
        || space_read(&text) != 0
        || entitlement_read(text, read.entitlement) != 0) {
        return -1;
    }

    if (read.from != 0 && read.until != 0 && read.from > read.until) {
        return -1;
    }

    *right = read;

    return 0;
}

size_t
lp_right_format(char *dst, const lp_right_t *right)
{
    char *p;

    p = dst;
    *p++ = (char) right->state;
    *p++ = ' ';
    p = day_write(p, right->from);
    *p++ = ' ';
    p = day_write(p, right->until);
    *p++ = ' ';
    memcpy(p, right->entitlement, LP_ENTITLEMENT_LEN);
    p += LP_ENTITLEMENT_LEN;

    return (size_t) (p - dst);
}

static int
state_read(lp_span_t *text, lp_state_t *state)
{
    if (text->len == 0) {
        return -1;
    }

    switch (text->data[0]) {
    case LP_ENTITLED:
    case LP_LICENSED:
    case LP_BLOCKED:
    case LP_OPEN:
        *state = (lp_state_t) text->data[0];
        skip(text, 1);
        return 0;
    default:
        return -1;
    }
}

static int
space_read(lp_span_t *text)
{
    if (text->len == 0 || text->data[0] != ' ') {
        return -1;
    }

    skip(text, 1);

    return 0;
}

/* "-", or eight digits that are a day of the calendar. */
static int
day_read(lp_span_t *text, uint32_t *day)
{
    size_t   i;
    uint32_t value;

    if (text->len > 0 && text->data[0] == '-') {
        *day = 0;
        skip(text, 1);
        return 0;
    }

    if (text->len < DAY_LEN) {
        return -1;
    }

    value = 0;

    for (i = 0; i < DAY_LEN; i++) {
        if (!lp_char_is((unsigned char) text->data[i], LP_CHAR_DIGIT)) {
            return -1;
        }

        value = value * 10 + (uint32_t) (text->data[i] - '0');
    }

    if (!lp_day_valid(value)) {
        return -1;
    }

    *day = value;
    skip(text, DAY_LEN);

    return 0;
}

/* All that is left of the record. */
static int
entitlement_read(lp_span_t text, char *entitlement)
{
    unsigned char raw[ENTITLEMENT_RAW];
    size_t        len;

    if (text.len != LP_ENTITLEMENT_LEN
        || lp_base64url_decode(raw, sizeof(raw), &len, text) != 0
        || len != sizeof(raw)) {
        return -1;
    }

    memcpy(entitlement, text.data, LP_ENTITLEMENT_LEN);

    return 0;
}

static char *
day_write(char *p, uint32_t day)
{
    int i;

    if (day == 0) {
        *p++ = '-';
        return p;
    }

    for (i = DAY_LEN - 1; i >= 0; i--) {
        p[i] = (char) ('0' + day % 10);
        day /= 10;
    }

    return p + DAY_LEN;
}

static void
skip(lp_span_t *text, size_t n)
{
    text->data += n;
    text->len -= n;
}
