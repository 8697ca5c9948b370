/* Polls of shoal's own: a message with buttons or a menu, votes in PostgreSQL (or on this machine's disk until that is
 * back), an end by the scheduler. Every handler is safe to run again: what it writes carries the id of what it was done
 * for. */
#ifndef SHOAL_MODULES_UTILITY_POLL_H
#define SHOAL_MODULES_UTILITY_POLL_H

#include <shoal/module.h>

#define POLL_ANSWERS_MAX   10
#define POLL_QUESTION_MOST 300 /* characters */
#define POLL_ANSWER_MOST   80  /* characters: of a button's label, with room for its letter */
#define POLL_QUESTION_SIZE (POLL_QUESTION_MOST * 4 + 1)
#define POLL_ANSWER_SIZE   (POLL_ANSWER_MOST * 4 + 1)
#define POLL_SHORTEST_MS   (10 * 1000LL)
#define POLL_LONGEST_MS    (60LL * 24 * 3600 * 1000)
#define POLL_DEFAULT_MS    (24LL * 3600 * 1000)
#define POLL_PREFIX        "utility.vote"
#define POLL_JOB           "poll_end"
#define POLL_STATEMENTS    12

struct poll {
	uint64_t guild_id, id; /* of the command that made it */
	uint64_t channel_id, message_id, creator_id;
	char question[POLL_QUESTION_SIZE]; /* made harmless when it was asked */
	char answers[POLL_ANSWERS_MAX][POLL_ANSWER_SIZE];
	size_t answer_count;
	bool several, anonymous;
	int64_t ends_ms, ended_ms; /* ended_ms 0: it is open */
	uint64_t ended_by;
	/* as they were when it was asked for */
	uint64_t counts[POLL_ANSWERS_MAX], voters;
	uint64_t mine; /* of who asked, a bit an answer; 0: none */
};

/* --- poll_store.c ----------------------------------------------------------------------------------------------------
 */

extern const struct shoal_statement poll_statements[POLL_STATEMENTS];

/* @poll is borrowed; NULL with 0: there is none, or with an error of shoal_query(). */
typedef void (*poll_fn)(void *arg, int error, struct poll *poll);

/* The poll @ref (its id, or its message's), or with @ref 0 the newest of @channel_id, with the votes as they are, and
 * @user_id's. @fn is called once, perhaps from within. */
void poll_find(struct shoal_scope *scope, uint64_t guild_id, uint64_t ref, uint64_t channel_id, uint64_t user_id,
	       poll_fn fn, void *arg);

/* All as shoal_write(). */
int poll_store(struct shoal_scope *scope, const struct poll *poll, shoal_written_fn fn, void *arg);
int poll_store_message(struct shoal_scope *scope, const struct poll *poll, shoal_written_fn fn, void *arg);
int poll_remove(struct shoal_scope *scope, const struct poll *poll, shoal_written_fn fn, void *arg);
/* Only the first one ends it: ended_by says afterwards who that was. */
int poll_store_end(struct shoal_scope *scope, uint64_t guild_id, uint64_t poll_id, int64_t at_ms, uint64_t by,
		   shoal_written_fn fn, void *arg);

struct poll_vote {
	uint64_t guild_id, poll_id, user_id;
	uint64_t choices;  /* a bit an answer */
	bool toggles;      /* the same again takes it back */
	uint64_t event_id; /* of the click, whose time counts */
};
/* Counts unless the poll is over, has no such answer, or a newer click of that member is there. */
int poll_store_vote(struct shoal_scope *scope, const struct poll_vote *vote, shoal_written_fn fn, void *arg);

/* @rows has pairs of user id and choices, at most 200. */
int poll_voters(struct shoal_scope *scope, const struct poll *poll, shoal_rows_fn fn, void *arg);

/* --- poll_view.c -----------------------------------------------------------------------------------------------------
 */

#define POLL_BAR_CELLS 12
#define POLL_BAR_SIZE  (POLL_BAR_CELLS * 3 + 1)

/* A bar of @cells, filled as @part of @whole; @whole 0: empty. */
const char *poll_bar(uint64_t part, uint64_t whole, char text[POLL_BAR_SIZE]);

/* Splits "a | b | c" (or lines, or ';') into @poll's answers, made harmless. -EINVAL: fewer than two or more than ten;
 * -EEXIST: two are the same; -E2BIG: one is too long. */
int poll_split(struct poll *poll, const char *text);

/* The poll's message, and everything that it points to. */
struct poll_message {
	struct shoal_content content;
	struct shoal_embed_content embed;
	struct shoal_action_row rows[2];
	struct shoal_button buttons[POLL_ANSWERS_MAX];
	struct shoal_select select;
	struct shoal_select_choice choices[POLL_ANSWERS_MAX];
	char ids[POLL_ANSWERS_MAX][64];
	char labels[POLL_ANSWERS_MAX][POLL_ANSWER_SIZE + 8];
	char title[POLL_QUESTION_SIZE + 8];
	char text[5200];
	char footer[200], placeholder[128];
};
/* @poll as members see it: open, with what can be clicked, or ended. Keeps pointers into @message and @poll. */
void poll_show(struct poll_message *message, const struct poll *poll, enum shoal_language language);

/* "**Pizza** (3 votes)", or the several that are first; @text. */
const char *poll_winners(const struct poll *poll, enum shoal_language language, char *text, size_t size);

/* --- poll.c, poll_vote.c, poll_end.c ---------------------------------------------------------------------------------
 */

extern const struct shoal_command utility_poll;
void poll_vote_clicked(struct shoal_invocation *inv);
void poll_end_due(struct shoal_scope *scope, const struct shoal_job_run *run);

/* Ends @poll_id for the event @by: writes that, counts, changes the message, announces it, once. @fn (may be NULL) is
 * told of how the count could be made: 0 and the poll, or an error and NULL. */
int poll_finish(struct shoal_scope *scope, uint64_t guild_id, uint64_t poll_id, int64_t at_ms, uint64_t by, poll_fn fn,
		void *arg);

int poll_setup(struct shoal_scope *module);
void poll_cleanup(struct shoal_scope *module);

/* Why it could not be, told to the member. */
void poll_refuse(struct shoal_invocation *inv, int error);

#endif
