/*
 * What a FastCGI connection begins with, looked at before libfcgi reads it.
 */

#ifndef LP_PREAMBLE_H
#define LP_PREAMBLE_H

/*
 * Waits until all parameters of a request are there, and leaves them there.
 * Returns 0 where they are well-formed: FCGI_BEGIN_REQUEST for a responder,
 * then FCGI_PARAMS of at most 64 kB to their end. -1 where they are anything
 * else, or do not come within 10 seconds. *whole becomes 1 where the request
 * has no body, has come to its end, and is short enough for libfcgi to take it
 * with its first read; else 0.
 */
int lp_preamble_check(int fd, int *whole);

#endif
