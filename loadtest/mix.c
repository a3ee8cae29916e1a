/*
 * --mix. The usual shares are those of a morning in the first weeks of a school
 * year, as assumed: most may use what they click on, one in twenty-five uses it
 * for the first time.
 */

#include "mix.h"

#include <string.h>

#include "../workers/say.h"
#include "decimal.h"

#define ALLOWED                                                                \
    "--mix takes HOLD:SHARE,... of set, entitled, open, none, not-yet,"        \
    " ended, blocked, each once"

/* Half of the products are in a set; open rights are of pupils alone. */
#define SET_MAX  0.3
#define OPEN_MAX 0.3

static const double usual[LP_HOLDS] = {
    [LP_HOLD_SET] = 0.05,      [LP_HOLD_ENTITLED] = 0.04,
    [LP_HOLD_OPEN] = 0.03,     [LP_HOLD_NONE] = 0.025,
    [LP_HOLD_NOT_YET] = 0.005, [LP_HOLD_ENDED] = 0.005,
    [LP_HOLD_BLOCKED] = 0.002,
};

int
lp_mix_has(lp_hold_t hold)
{
    return hold != LP_HOLD_LICENSED && hold != LP_HOLD_FREE;
}

void
lp_mix_usual(double share[LP_HOLDS])
{
    memcpy(share, usual, sizeof(usual));
}

static int
refuse(const char *text, size_t len, const char *why)
{
    char shown[LP_ESCAPED_MAX];

    lp_say("\"%s\": %s; %s", lp_escape(shown, (lp_span_t) {text, len}, 40),
           why, ALLOWED);
    return -1;
}

static unsigned
find_hold(const char *name, size_t len)
{
    unsigned hold;

    for (hold = 0; hold < LP_HOLDS; hold++) {
        if (strlen(lp_hold_name((lp_hold_t) hold)) == len
            && memcmp(lp_hold_name((lp_hold_t) hold), name, len) == 0) {
            break;
        }
    }
    return hold;
}

static int
read_one(double share[LP_HOLDS], unsigned *seen, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t      name = colon == NULL ? len : (size_t) (colon - text);
    unsigned    hold = find_hold(text, name);

    if (hold == LP_HOLDS) {
        return refuse(text, len, "there is no such hold");
    }
    if (hold == LP_HOLD_LICENSED) {
        return refuse(text, len, "licensed is what the others leave");
    }
    if (hold == LP_HOLD_FREE) {
        return refuse(text, len, "what is free, products say: one in 25");
    }
    if ((*seen & 1U << hold) != 0) {
        return refuse(text, len, "it is there twice");
    }
    *seen |= 1U << hold;
    if (colon == NULL
        || lp_decimal_read(&share[hold], colon + 1, len - name - 1) != 0
        || share[hold] > 1) {
        return refuse(text, len, "a share is a number from 0 to 1");
    }
    return 0;
}

int
lp_mix_read(double share[LP_HOLDS], const char *text)
{
    unsigned    seen = 0;
    size_t      len;
    const char *fault;

    for (;;) {
        len = strcspn(text, ",");
        if (read_one(share, &seen, text, len) != 0) {
            return -1;
        }
        text += len;
        if (*text == '\0') {
            break;
        }
        text++;
    }
    fault = lp_mix_fault(share);
    if (fault[0] != '\0') {
        lp_say("--%s", fault);
        return -1;
    }
    return 0;
}

const char *
lp_mix_fault(const double share[LP_HOLDS])
{
    double   sum = 0;
    unsigned hold;

    for (hold = 0; hold < LP_HOLDS; hold++) {
        if (!lp_mix_has((lp_hold_t) hold)) {
            continue;
        }
        if (!(share[hold] >= 0 && share[hold] <= 1)) {
            return "mix: a share is from 0 to 1";
        }
        sum += share[hold];
    }
    if (share[LP_HOLD_SET] > SET_MAX) {
        return "mix: set is at most 0.3: half of the products are in a set";
    }
    if (share[LP_HOLD_OPEN] > OPEN_MAX) {
        return "mix: open is at most 0.3";
    }
    if (sum > 1) {
        return "mix: the shares are more than 1 together";
    }
    return "";
}
