/* What the supervisor's own files share; nobody else includes it. */
#ifndef SHOAL_SUPERVISOR_SUPERVISOR_INTERNAL_H
#define SHOAL_SUPERVISOR_SUPERVISOR_INTERNAL_H

#include "supervisor/supervisor.h"

/* This fleet can't run so: one record with the cause and what to do (@hint, else the exit code's own), then the stop.
 */
void supervisor_stop_fatally(struct supervisor *supervisor, enum exit_code code, const char *cause, const char *hint);
/* Which key is behind an exit code; NULL: the code's row says it. */
const char *supervisor_fatal_hint(int code);
extern const struct fleet_events supervisor_fleet_events;

/* supervisor_turn.c: sets the ledger's timer up; then, last of all at the start, the hooks. */
int supervisor_turn_init(struct supervisor *supervisor);
void supervisor_turn_begin(struct supervisor *supervisor);
/* SIGHUP: one that comes while another reload is being asked may mean a file that was changed after it was read, and is
 * done after it. */
void supervisor_hang_up(struct supervisor *supervisor);

/* Asks Discord and the worker program what is to run; the fleet starts when both have answered. On failure the cause
 * was logged. */
int supervisor_ask(struct supervisor *supervisor, enum exit_code *ret_exit_code);
/* Compares and registers the manifest's commands, from the beginning. */
void supervisor_sync_commands(struct supervisor *supervisor, uint64_t application_id);
/* Workers that run are ours before Discord has said anything: they need nothing from it. */
void supervisor_adopt_early(struct supervisor *supervisor);

#endif
