/*
 * Looks for places in an nginx configuration that would write a token or a
 * person's id into a log, or a client's bytes into a Location, or that leave no
 * room for a long token.
 */

#ifndef LP_NGINX_LINT_H
#define LP_NGINX_LINT_H

/*
 * Hears of each finding: the file, the line (0: none) and a sentence. leaks: it
 * writes tokens or user keys for certain; else it may do harm.
 */
typedef void (*lp_nginx_lint_pt)(void *data, int leaks, const char *file,
                                 unsigned line, const char *sentence);

/*
 * Reads the file and what it includes (relative to the file's own folder).
 * Returns 0; -1 after lp_say() where the file can't be read.
 */
int lp_nginx_lint(const char *path, lp_nginx_lint_pt found, void *data);

#endif
