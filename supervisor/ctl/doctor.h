/* shoalctl doctor: one table of checks, a row each; the files doctor_*.c hold the checks of one section each. */
#ifndef SHOAL_SUPERVISOR_CTL_DOCTOR_H
#define SHOAL_SUPERVISOR_CTL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/database.h"

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_OFF,  /* not in use here, or it could not be looked at */
	DOCTOR_WARN, /* works, but will hurt one day */
	DOCTOR_FAIL, /* does not work, or loses something */
	DOCTOR_VERDICT_COUNT,
};

#define DOCTOR_TEXT_SIZE 640

struct doctor_finding {
	enum doctor_verdict verdict;
	char what[DOCTOR_TEXT_SIZE];   /* what was seen */
	char advice[DOCTOR_TEXT_SIZE]; /* what to do; "" when nothing is to be done */
};

/* What the checks share; made before the first one runs. */
struct doctor {
	const struct ctl_options *options;
	const struct config *config;
	const char *config_error; /* why it is the defaults; NULL: it is what was given */
	json_t *status;           /* the supervisor's; NULL: none answered */
	char status_error[DOCTOR_TEXT_SIZE];
	uint32_t shards; /* of the plan, else as configured; 0: not known */

	const struct config *database; /* where it is; NULL: off */
	PGconn *connection;            /* NULL: not reached */
	struct database_error database_error;
	int database_problem;
	bool pooler; /* something like pgbouncer stands between */
	uint32_t timeout_ms;
	const char *sql_dir; /* of the migrations; "": where they are by themselves */
};

typedef void (*doctor_fn)(struct doctor *doctor, struct doctor_finding *finding);

struct doctor_check {
	const char *section, *name;
	doctor_fn fn;
};

/* Fills a finding; a later call replaces what an earlier one said. */
__attribute__((format(printf, 3, 4))) void doctor_say(struct doctor_finding *finding, enum doctor_verdict verdict,
						      const char *format, ...);
__attribute__((format(printf, 2, 3))) void doctor_advise(struct doctor_finding *finding, const char *format, ...);
/* Raises the verdict (never lowers it) and adds a part to what was said. */
__attribute__((format(printf, 3, 4))) void doctor_add(struct doctor_finding *finding, enum doctor_verdict verdict,
						      const char *format, ...);

/* doctor_host.c: this machine and the configuration */
void doctor_configuration(struct doctor *doctor, struct doctor_finding *finding);
void doctor_secrets(struct doctor *doctor, struct doctor_finding *finding);
void doctor_runtime_dir(struct doctor *doctor, struct doctor_finding *finding);
void doctor_state_dir(struct doctor *doctor, struct doctor_finding *finding);
void doctor_descriptors(struct doctor *doctor, struct doctor_finding *finding);
void doctor_systemd(struct doctor *doctor, struct doctor_finding *finding);
void doctor_clock(struct doctor *doctor, struct doctor_finding *finding);
/* doctor_fleet.c: the supervisor, Discord, NATS */
void doctor_supervisor(struct doctor *doctor, struct doctor_finding *finding);
void doctor_shards(struct doctor *doctor, struct doctor_finding *finding);
void doctor_discord(struct doctor *doctor, struct doctor_finding *finding);
void doctor_session_starts(struct doctor *doctor, struct doctor_finding *finding);
void doctor_outbox(struct doctor *doctor, struct doctor_finding *finding);
void doctor_nats(struct doctor *doctor, struct doctor_finding *finding);
/* doctor_postgres.c, doctor_cluster.c: the database alone, and with its standbys and poolers */
void doctor_connection(struct doctor *doctor, struct doctor_finding *finding);
void doctor_tls(struct doctor *doctor, struct doctor_finding *finding);
void doctor_version(struct doctor *doctor, struct doctor_finding *finding);
void doctor_schema(struct doctor *doctor, struct doctor_finding *finding);
void doctor_rights(struct doctor *doctor, struct doctor_finding *finding);
void doctor_extensions(struct doctor *doctor, struct doctor_finding *finding);
void doctor_database_clock(struct doctor *doctor, struct doctor_finding *finding);
void doctor_room(struct doctor *doctor, struct doctor_finding *finding);
void doctor_hosts(struct doctor *doctor, struct doctor_finding *finding);
void doctor_durability(struct doctor *doctor, struct doctor_finding *finding);
void doctor_pooler(struct doctor *doctor, struct doctor_finding *finding);
void doctor_reading(struct doctor *doctor, struct doctor_finding *finding);
void doctor_backups(struct doctor *doctor, struct doctor_finding *finding);

#endif
