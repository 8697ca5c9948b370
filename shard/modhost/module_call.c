/* Calls of modules that outlive their scope. Every way to the module's function passes through tell(). */
#include "shard/modhost/module_call.h"

#include <errno.h>
#include <stdlib.h>

static void tell(struct module_call *call, int error, const void *answer)
{
	struct culprit_frame frame;

	call->call.over = true;
	call->told = true;
	scope_enter(&frame, call->call.scope, CULPRIT_CONTINUATION);
	call->tell(call, error, answer);
	culprit_leave(&frame);
	scope_done(&call->call);
}

static void cancel(struct scope_call *call)
{
	tell((struct module_call *)call, -ECANCELED, NULL);
}
_Static_assert(offsetof(struct module_call, call) == 0, "a scope's call is a module's");

int module_call_begin(struct shoal_scope *scope, size_t size,
		      void (*tell_fn)(struct module_call *call, int error, const void *answer), void **ret_call)
{
	struct module_call *call = calloc(1, size);
	int r;

	if (!call)
		return -ENOMEM;
	r = scope_add(scope, &call->call, cancel);
	if (r < 0) {
		free(call);
		return r;
	}
	call->tell = tell_fn;
	*ret_call = call;
	return 0;
}

void module_call_settle(struct module_call *call, int error, const void *answer)
{
	if (!call->told)
		tell(call, error, answer);
	free(call);
}

void module_call_drop(struct module_call *call)
{
	scope_done(&call->call);
	free(call);
}
