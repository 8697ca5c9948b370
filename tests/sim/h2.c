/* HTTP/2. */
#include "tests/sim/h2.h"

#include <stdlib.h>
void h2_start(struct conn *conn, http_handler_fn handler)
{
	(void)handler;
	conn_drop(conn, true);
}
void h2_reply(struct exchange *x, int status, const char *content_type, const void *body, size_t len)
{
	(void)status, (void)content_type, (void)body, (void)len;
	exchange_free(x);
}
void h2_forget(struct exchange *x)
{
	(void)x;
}
