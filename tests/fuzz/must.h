/*
 * What fuzz targets insist on. Not assert(), which a build may leave out.
 */

#ifndef LP_FUZZ_MUST_H
#define LP_FUZZ_MUST_H

#include <stdint.h>
#include <stdlib.h>

#include "../../core/span.h"
#include "../../workers/conf_members.h"

/* Ids of persons, codes and secrets in the kept inputs hold this word, and no
   text of ours does: a refusal with it repeats what was sent. */
#define CANARY "canary"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static inline void
must(int holds)
{
    if (!holds) {
        abort();
    }
}

/* A reason for people: it is there, ends within size bytes, is printable
   ASCII, and does not repeat an id. */
static inline void
must_be_reason(const char *text, size_t size)
{
    const char *p;

    must(text != NULL && memchr(text, '\0', size) != NULL);
    must(strlen(text) > 5);

    for (p = text; *p != '\0'; p++) {
        must(*p >= 0x20 && *p < 0x7f);
    }

    must(strstr(text, CANARY) == NULL);
}

/* That of a configuration file: the name of a member that is none is repeated,
   values never are. */
static inline void
must_be_conf_reason(const char *text)
{
    const char *unknown;

    must(memchr(text, '\0', LP_CONF_REASON_MAX) != NULL);
    unknown = strstr(text, ": there is no such member");
    must_be_reason(unknown != NULL ? unknown : text, strlen(text) + 1);
}

static inline int
inside(lp_span_t part, lp_span_t whole)
{
    return part.len == 0
           || (part.data >= whole.data
               && part.data + part.len <= whole.data + whole.len);
}

/* 16 bytes as base64url: an entitlement, a user key. */
static inline int
is_id(const char *text)
{
    size_t i;

    for (i = 0; i < 22; i++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                   "0123456789-_", text[i]) == NULL || text[i] == '\0') {
            return 0;
        }
    }

    return 1;
}

#endif
