/*
 * The processes of a command, and memory that they share with it.
 */

#ifndef LP_CHILD_H
#define LP_CHILD_H

#include <stddef.h>

#include <sys/types.h>

/*
 * A child that dies with us and leaves the keys of the terminal and the
 * signals of its user to us. work's value is its exit code. Returns its pid;
 * -1 with errno.
 */
pid_t lp_child_start(int (*work)(void *owner), void *owner);

/* Ends it; *pid becomes 0. A pid of 0 is none. */
void lp_child_kill(pid_t *pid);

/* Zeroed memory that children have too; munmap() gives it back. NULL with
   errno. */
void *lp_child_memory(size_t size);

#endif
