/*
 * The plan's faults: at their second a program of the folder --hooks is
 * started, and what became of it is a mark in the report. The programs are the
 * operator's: what they kill, freeze or reload is none of our business.
 */

#ifndef LP_HOOKS_H
#define LP_HOOKS_H

#include <poll.h>

#include "result.h"

#define LP_HOOKS_LOG_MAX (1024 * 1024) /* bytes of their output that are kept */

typedef struct lp_hooks_s lp_hooks_t;

/* Whether each hook of the plan is there and may be run, and whether folder is
   one at all. NULL: there is none. Returns -1 after lp_say(). */
int lp_hooks_check(const lp_plan_t *plan, const char *folder);

/* Makes OUT/hooks.log where the plan has faults. out: the result's folder.
   NULL after lp_say(). plan and folder must live as long. */
lp_hooks_t *lp_hooks_create(const lp_plan_t *plan, const char *folder,
                            const char *out);

/* Sees to what runs, so many seconds since the beginning; starting 1: starts
   what is due. Never waits. */
void lp_hooks_turn(lp_hooks_t *hooks, double at, int starting);

/* What to wait for besides: where they talk. Fills up to LP_FAULTS_MAX places
   of list; returns how many. */
unsigned lp_hooks_poll(const lp_hooks_t *hooks, struct pollfd *list);

/* When the next one is due, in seconds since the beginning; -1: none is. */
double lp_hooks_next(const lp_hooks_t *hooks);

/* Ends those that still run: SIGTERM, and SIGKILL after 2 s. */
void lp_hooks_end(lp_hooks_t *hooks, double at);

/* Writes what happened into marks; returns how many there are. */
unsigned lp_hooks_marks(const lp_hooks_t *hooks, lp_fault_mark_t *marks,
                        unsigned max);

/* NULL is none. */
void lp_hooks_destroy(lp_hooks_t *hooks);

#endif
