/*
 * What the command says to people: sentences on standard error, and foreign
 * text made safe for a terminal.
 */

#ifndef LP_SAY_H
#define LP_SAY_H

#include <stdint.h>

#include "../core/span.h"

/* Exit codes of the command; every lp_command_*() returns one. */
#define LP_YES   0
#define LP_NO    1
#define LP_USAGE 2

#define LP_ESCAPED_MAX 512 /* room for any text of lp_escape() */
#define LP_WHEN_MAX    96  /* room for any text of lp_when() */

/*
 * Writes "leerpoort: <sentence>" and a newline to standard error. Text that
 * comes from a token, a file or Redis goes through lp_escape() first.
 */
void lp_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Writes text into dst (LP_ESCAPED_MAX bytes), NUL-terminated: printable ASCII
 * as it is, a backslash and all else as \xNN, cut with "..." after max bytes
 * of text (at most 64). Returns dst.
 */
const char *lp_escape(char *dst, lp_span_t text, size_t max);

/*
 * Writes a Unix time into dst (LP_WHEN_MAX bytes) in UTC and relative to now:
 * "2026-09-01 08:15:00 UTC (3 minutes ago)". Returns dst.
 */
const char *lp_when(char *dst, int64_t at, int64_t now);

#endif
