/*
 * The machine that the tool runs on: what reports say of it, and whether its
 * limits suffice. A limit that is too low is found before the first click, not
 * at the peak.
 */

#ifndef LP_MACHINE_H
#define LP_MACHINE_H

#include <stddef.h>
#include <sys/types.h>

/* "2 cores, Linux 6.1.0, 24 GiB, real-time engines" where they are punctual */
void lp_machine_text(char *dst, size_t size, int punctual);

/*
 * Raises the limit of open files where it is lower than wanted. Returns how
 * many there may be, at most wanted; where those are fewer, after lp_say() with
 * the limit, the value and the way. -1: fewer than least.
 */
long lp_machine_files(unsigned long least, unsigned long wanted);

/*
 * Lets one of so many engines run as soon as it has something to do, before
 * whatever else is ready: SCHED_RR, of the lowest priority, not inherited. On a
 * machine that also has the target, a click is then not late because nginx was
 * busy. Only as root (or with CAP_SYS_NICE), and where a core is left for the
 * others. Returns 1 where it is so, 0 where not.
 */
int lp_machine_punctual(pid_t engine, unsigned engines);

/*
 * Whether so many connections at once find a port: a port may be used once for
 * each address that they come from. Returns -1 after lp_say().
 */
int lp_machine_ports(unsigned long connections, unsigned addresses);

/* What an errno with which an engine ended means for whoever has to mend it:
   a sentence. */
void lp_machine_explain(char *dst, size_t size, int error);

#endif
