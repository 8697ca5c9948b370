/* shoalctl: one table of verbs, one file a verb. Synchronous; no loop. Every verb prints for people, or with --json one
 * JSON value for programs. */
#ifndef SHOAL_SUPERVISOR_CTL_CTL_H
#define SHOAL_SUPERVISOR_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "shared/config/config.h"
#include "shared/control/control.h"

/* How shoalctl ends; in its --help. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,      /* asked, and it did not work */
	CTL_USAGE = 2,       /* wrong command line */
	CTL_CONFIG = 3,      /* configuration wrong */
	CTL_UNREACHABLE = 4, /* no supervisor there, or it does not answer */
	CTL_AWAY = 9,        /* the database is not there (as shoald's own code for what is away) */
};

struct ctl_options {
	const struct config *config; /* NULL only for a verb that asks for it so: then config_error says why */
	const char *config_error;
	const char *runtime_dir;
	bool json;
	bool yes;            /* --yes: no question */
	uint64_t timeout_ms; /* --timeout, else the verb's own */
	bool timeout_given;
};

/* @argv[0] is the verb; what follows are its own arguments. Returns an enum ctl_exit. */
typedef int (*ctl_fn)(int argc, char **argv, const struct ctl_options *options);

int ctl_status(int argc, char **argv, const struct ctl_options *options);
int ctl_shards(int argc, char **argv, const struct ctl_options *options);
int ctl_top(int argc, char **argv, const struct ctl_options *options);
int ctl_restart(int argc, char **argv, const struct ctl_options *options);
int ctl_reload(int argc, char **argv, const struct ctl_options *options);
int ctl_module(int argc, char **argv, const struct ctl_options *options);
int ctl_plan(int argc, char **argv, const struct ctl_options *options);
int ctl_upgrade(int argc, char **argv, const struct ctl_options *options);
int ctl_alerts(int argc, char **argv, const struct ctl_options *options);
int ctl_commands(int argc, char **argv, const struct ctl_options *options);
int ctl_outbox(int argc, char **argv, const struct ctl_options *options);
int ctl_dead_letters(int argc, char **argv, const struct ctl_options *options);
int ctl_stop(int argc, char **argv, const struct ctl_options *options);
int ctl_metrics(int argc, char **argv, const struct ctl_options *options);
int ctl_migrate(int argc, char **argv, const struct ctl_options *options);
int ctl_backup(int argc, char **argv, const struct ctl_options *options);
int ctl_restore(int argc, char **argv, const struct ctl_options *options);
int ctl_config(int argc, char **argv, const struct ctl_options *options);
int ctl_privacy(int argc, char **argv, const struct ctl_options *options);
int ctl_jobs(int argc, char **argv, const struct ctl_options *options);
int ctl_keys(int argc, char **argv, const struct ctl_options *options);
int ctl_doctor(int argc, char **argv, const struct ctl_options *options);

/* --- what verbs share -----------------------------------------------------------------------------------------------
 */

/* Asks the supervisor. @request: takes. CTL_OK: *ret_answer is an answer with ok:true, the caller's. Else the failure
 * was printed already (as JSON with --json). */
int ctl_ask(const struct ctl_options *options, json_t *request, uint64_t timeout_ms, control_progress_fn progress,
	    void *arg, json_t **ret_answer);
/* An answer with "shards" holds as many as fit a line: asks for the others and puts them in. -EPROTO, or as
 * control_call(): @answer is incomplete. */
int ctl_complete(const struct ctl_options *options, uint64_t timeout_ms, json_t *answer);
/* What control_call() gave: CTL_OK when it is an answer with ok:true; else the failure is printed and @answer gone. */
int ctl_judge(const struct ctl_options *options, int error, json_t *answer, uint64_t waited_ms);
/* Waits until the supervisor's image number @serial (status) answers; *ret_status is the caller's. */
int ctl_await_serial(const struct ctl_options *options, int64_t serial, uint64_t timeout_ms, json_t **ret_status);
/* Reloads into @binary (NULL: the same) and waits; *ret_status is the new image's, the caller's. */
int ctl_do_reload(const struct ctl_options *options, const char *binary, json_t **ret_status);
/* Prints a failure: @code is a stable word, @message a sentence. Returns @exit. */
int ctl_fail(const struct ctl_options *options, int exit, const char *code, const char *message);
int ctl_usage(const char *verb, const char *what);
/* A restart's steps as lines of text; @arg is the options. And its end. */
void ctl_restart_progress(void *arg, const json_t *step);
void ctl_restart_end(const json_t *answer, const struct ctl_options *options);
/* Prints @json (borrowed) on stdout, without the protocol's own id and ok. */
void ctl_print_json(const json_t *json);

const char *ctl_text(const json_t *object, const char *key);
int64_t ctl_int(const json_t *object, const char *key);
double ctl_real(const json_t *object, const char *key);
/* Alerts of a status, at most @max lines (0: all), the first one behind @label. */
void ctl_print_alerts(const json_t *alerts, const char *label, size_t max);
/* "1,234,567", "12.3 MB", "3d 4h", into a static ring of buffers. */
const char *ctl_count(int64_t number);
const char *ctl_kib(int64_t kib);
/* "0.1ms"; "-" for 0: not measured yet. */
const char *ctl_latency(double ms);
const char *ctl_duration(int64_t seconds);
/* Text from elsewhere made fit for a terminal: control characters become '?'. Static ring. */
const char *ctl_clean(const char *text);
/* ANSI colour for a shard's state when @colour, else "". */
const char *ctl_state_colour(const char *state, bool colour);

/* The configuration that says where the database is: the usual one, else what `make run` leaves about its private
 * database beside the control socket. NULL: neither does. @ret_own: the caller's to free, or NULL. */
const struct config *ctl_database_config(const struct ctl_options *options, struct config **ret_own);

/* supervisor.state_dir: the supervisor knows where it keeps things; without one the configuration does. */
void ctl_find_state_dir(const struct ctl_options *options, char *path, size_t size);
/* The directory to ask in: @given, the configuration where it says one, build/run beside us, else the default. */
void ctl_find_runtime_dir(const char *given, const struct config *config, char *path, size_t size);

#endif
