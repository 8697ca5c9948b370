/* The REST API: one table of routes, and what all of them share. */
#ifndef SIM_REST_H
#define SIM_REST_H

#include "tests/sim/http.h"
#include "tests/sim/limits.h"

#include <jansson.h>

#define REST_PARAMS_MAX 5

enum rest_flag {
	REST_NO_AUTH = 1,   /* needs no Authorization (the token is in the path) */
	REST_NO_GLOBAL = 2, /* does not count to the global limit */
	REST_BODY = 4,      /* a JSON body is required */
};

struct rest_call;

struct route {
	const char *method;
	const char *pattern; /* "{}" takes any segment; literal rows stand before those they would be hidden by */
	const char *name;    /* operation id */
	const char *bucket;
	uint32_t limit, window_ms;
	int flags;
	void (*handle)(struct rest_call *c);
};

/* One request on its way. Handlers end it with exactly one of the rest_… answers. */
struct rest_call {
	struct exchange *x;
	const struct route *route;
	char *path; /* cut into segments */
	const char *param[REST_PARAMS_MAX];
	size_t param_count;
	json_t *body; /* NULL when there is none */
	struct limit limit;
	bool has_limit;
	char *reason; /* decoded X-Audit-Log-Reason */
	uint64_t row; /* in effects.h */
	int code;     /* of the error that it was answered with */
};

extern const struct route rest_routes[];
extern const size_t rest_route_count;

/* Requests on the API and resume ports. Takes @x. */
void rest_handle(struct exchange *x);

/* Answers; all free @c. @json is taken. */
void rest_json(struct rest_call *c, int status, json_t *json);
void rest_empty(struct rest_call *c, int status);
/* Discord's error of that code: {message, code}; status and text come from the table of errors. */
void rest_fail(struct rest_call *c, int code);
/* 50035 Invalid Form Body with one entry in the tree of errors; @path is dotted, "" for the root. */
void rest_invalid(struct rest_call *c, const char *path, const char *error, const char *message);

/* By a handler that has changed something, before it answers: what it made, or 0. */
void rest_done(const struct rest_call *c, uint64_t made_id);
/* It was so already. */
void rest_same(const struct rest_call *c);

/* A path parameter as id; 0 when it is none. */
uint64_t rest_id(const struct rest_call *c, size_t param);

uint64_t rest_request_count(void);
uint64_t rest_command_count(void);
/* {requests, by_status{}, by_route{}, limits{}}. New reference. */
json_t *rest_stats_json(void);
void rest_stats_reset(void);
/* Opens --record. 0 or -errno. */
int rest_init(void *loop);
void rest_free(void);

#endif
