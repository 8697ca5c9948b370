/* The pages of the supervisor's HTTP server: a table of path and maker. */
#ifndef SHOAL_SUPERVISOR_PAGES_H
#define SHOAL_SUPERVISOR_PAGES_H

#include "supervisor/http.h"

/* For http_new(); @arg is the supervisor. */
extern const struct http_route page_routes[];

#endif
