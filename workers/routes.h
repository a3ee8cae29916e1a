/*
 * From a FastCGI connection to a route: what leerpoort-worker's main loop
 * knows of requests.
 */

#ifndef LP_ROUTES_H
#define LP_ROUTES_H

#include <fcgiapp.h>

#include "service.h"

/*
 * Fills a request from the parameters of a connection whose parameters have
 * been read. Returns NULL, or the name of the parameter that can't be what
 * an edge of ours sent; the request can be answered all the same.
 */
const char *lp_request_open(lp_request_t *request, FCGX_Request *connection);

/* Finds the route, checks who may call it and runs it; answers in any case. */
void lp_route(lp_service_t *service, FCGX_Request *connection);

#endif
