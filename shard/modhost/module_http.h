/* The functions of <shoal/http.h>: HTTP for modules, through a client of its own beside Discord's. Made when the first
 * module asks. Loop thread only. */
#ifndef SHOAL_SHARD_MODHOST_MODULE_HTTP_H
#define SHOAL_SHARD_MODHOST_MODULE_HTTP_H

#include <stdbool.h>
#include <sys/socket.h>

#include <shoal/http.h>

int module_http_request(struct shoal_scope *scope, const struct shoal_http_request *request, shoal_http_fn fn,
			void *arg);
/* After all scopes have ended: nothing is under way. */
void module_http_close(void);

/* Whether an address is of the public internet: not of this machine, a private or local network, a documentation or
 * multicast range, or one of those in IPv6's clothes. Pure. */
bool module_http_is_public(const struct sockaddr *address);

#endif
