/* One use of a command by one member, from the event to the answer. Reference-counted: the answer under way holds it,
 * and so does a handler that replies later. Loop thread only. */
#ifndef SHOAL_SHARD_COMMANDS_INVOCATION_H
#define SHOAL_SHARD_COMMANDS_INVOCATION_H

#include <shoal/command.h>

#include "shard/commands/arguments.h"
#include "shard/commands/content.h"
#include "shard/commands/request.h"
#include "shard/commands/resolved.h"
#include "shard/events/scope.h"
#include "shard/events/ticket.h"
#include "shared/base/machine.h"
#include "shared/metrics/command_tally.h"

struct commands;

enum invocation_form {
	INVOCATION_SLASH,   /* an interaction: answered through its callback */
	INVOCATION_MESSAGE, /* prefix or mention: answered by a message that refers to it */
	INVOCATION_SUGGEST, /* an interaction that wants suggestions: whatever goes wrong, it gets none */
};

enum answer_kind {
	ANSWER_MESSAGE,
	ANSWER_UPDATE, /* of the message that the component stands on */
	ANSWER_MODAL,
};

/* What came with a form or a select. */
struct invocation_field {
	char *custom_id, *value;
};

#define INVOCATION_TOKEN_MAX 1024
#define INVOCATION_TEXT_MAX  (64 * 1024) /* of all that a component or form brings */
#define INVOCATION_PATH_SIZE 104

struct shoal_invocation {
	struct commands *commands;
	const struct shoal_command *command; /* the leaf */
	enum invocation_form form;
	uint32_t flags; /* of the command and its parents together */
	uint32_t refs;
	char path[INVOCATION_PATH_SIZE]; /* "settings prefix" */

	uint64_t event_id; /* of the interaction or the message */
	uint64_t application_id;
	uint64_t guild_id;
	uint64_t channel_id;
	uint64_t user_id;
	uint64_t message_id; /* that a component stands on, or that a message command is; 0: none */
	bool permissions_known;
	uint64_t permissions;
	enum shoal_level level;       /* once it is through the gate */
	enum shoal_language language; /* of the member, else of the server */
	char *token;                  /* of the interaction; a secret; NULL for messages */
	struct arguments arguments;
	struct resolved resolved; /* whom and what it named; the asker */
	uint64_t target_id;       /* of a context menu */
	const char *called_by;    /* INVOCATION_MESSAGE: the prefix as it was typed, or "@me "; resolved's arena */
	/* of a suggestion */
	const struct shoal_command_option *focused;
	char *typed;
	/* of a component or form */
	char *custom_id;
	size_t custom_skip; /* of the row's prefix and its ':' */
	char **values;
	size_t value_count;
	struct invocation_field *fields;
	size_t field_count;
	struct ticket *ticket;    /* of the event; held; NULL: none */
	struct shoal_scope scope; /* of what is done for it */

	/* answering */
	struct machine answer; /* answer.c */
	bool answer_raised;
	uint8_t answer_event;
	enum answer_kind reply_kind;
	struct content *reply;          /* kept until it can be sent */
	json_t *modal;                  /* likewise */
	struct effect_scope reply_step; /* of a reply that is a follow-up */
	bool reply_ephemeral;
	bool is_form;       /* what a member typed into a form */
	bool lacks_message; /* would change the message that it stands on, but came from none */
	bool updates;       /* deferred by type 6, and changes the message that it stands on */
	bool keeps_modal;   /* never deferred by itself: a form must be the first answer */
	bool defer_ephemeral;
	bool defer_raised;                    /* the handler has asked for it */
	bool replied;                         /* the handler has answered */
	bool is_edit;                         /* the answer went as an edit or follow-up */
	bool is_doubtful;                     /* what Discord said of the callback was lost */
	bool is_sorry;                        /* Discord would not take it; this says so */
	bool held_told;                       /* that it is held for long */
	enum command_outcome outcome;         /* as it would be counted by now */
	uint64_t received_ns, answered_ns;    /* answered: Discord has the first answer; 0: not yet */
	struct shoal_invocation *prev, *next; /* in commands' list of open ones */
};

/* Where an invocation comes from; all borrowed. */
struct invocation_source {
	enum invocation_form form;
	uint64_t event_id, application_id, guild_id, channel_id, user_id;
	uint64_t message_id;
	bool permissions_known; /* of the member in the channel */
	uint64_t permissions;
	enum shoal_language language;
	struct shoal_str token;
	struct ticket *ticket;     /* held anew by the invocation */
	struct resolved *resolved; /* handed over to the invocation; NULL: nothing is named */
};

/* A new one with one reference, in @commands' list. -ENOMEM, -E2BIG (token). */
int invocation_new(struct commands *commands, const struct invocation_source *source,
		   struct shoal_invocation **ret_invocation);

/* Whose handler it is about to run; the scope is that module's from now on. */
void invocation_set_owner(struct shoal_invocation *inv, struct module_entry *owner);
/* The copies of what a component or form brought. -E2BIG, -ENOMEM. */
int invocation_set_data(struct shoal_invocation *inv, const struct shoal_interaction_data *data, size_t custom_skip);

/* The functions behind those of <shoal/command.h>. */
struct shoal_invocation *invocation_hold(struct shoal_invocation *inv);
void invocation_release(struct shoal_invocation *inv);
uint64_t invocation_guild_id(const struct shoal_invocation *inv);
uint64_t invocation_channel_id(const struct shoal_invocation *inv);
uint64_t invocation_user_id(const struct shoal_invocation *inv);
const char *invocation_string(const struct shoal_invocation *inv, const char *option, const char *fallback);
int64_t invocation_integer(const struct shoal_invocation *inv, const char *option, int64_t fallback);
bool invocation_boolean(const struct shoal_invocation *inv, const char *option, bool fallback);
double invocation_number(const struct shoal_invocation *inv, const char *option, double fallback);
uint64_t invocation_id(const struct shoal_invocation *inv, const char *option, uint64_t fallback);
struct shoal_scope *invocation_scope(struct shoal_invocation *inv);
uint64_t invocation_event_id(const struct shoal_invocation *inv);
uint64_t invocation_message_id(const struct shoal_invocation *inv);
bool invocation_permissions(const struct shoal_invocation *inv, uint64_t *ret_bits);
const char *invocation_custom_id(const struct shoal_invocation *inv);
const char *invocation_custom_rest(const struct shoal_invocation *inv);
size_t invocation_value_count(const struct shoal_invocation *inv);
const char *invocation_value(const struct shoal_invocation *inv, size_t i);
const char *invocation_field(const struct shoal_invocation *inv, const char *custom_id);
bool invocation_has(const struct shoal_invocation *inv, const char *option);
enum shoal_language invocation_language(const struct shoal_invocation *inv);
const struct shoal_resolved_user *invocation_user(const struct shoal_invocation *inv, uint64_t id);
const struct shoal_resolved_role *invocation_role(const struct shoal_invocation *inv, uint64_t id);
const struct shoal_resolved_channel *invocation_channel(const struct shoal_invocation *inv, uint64_t id);
const struct shoal_resolved_attachment *invocation_attachment(const struct shoal_invocation *inv, uint64_t id);
uint64_t invocation_target_id(const struct shoal_invocation *inv);
const struct shoal_resolved_message *invocation_target_message(const struct shoal_invocation *inv);
int invocation_custom_id_make(const struct shoal_invocation *inv, const char *prefix, const char *rest, char *text);
int invocation_reply(struct shoal_invocation *inv, const struct shoal_content *content);
int invocation_update(struct shoal_invocation *inv, const struct shoal_content *content);
int invocation_modal(struct shoal_invocation *inv, const struct shoal_modal *modal);
int invocation_defer(struct shoal_invocation *inv, uint32_t flags);
int invocation_reply_text(struct shoal_invocation *inv, const char *text);
int invocation_reply_vprintf(struct shoal_invocation *inv, bool is_error, const char *format, va_list args);
int invocation_reply_error(struct shoal_invocation *inv, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What should not happen did: the member reads an incident's number, the log has it beside @why. Answers. */
int invocation_incident(struct shoal_invocation *inv, const char *why);
/* The same in words that say more; @phrase has {incident}. */
int invocation_incident_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const char *why);
/* Nobody is left who could answer, or he holds it for too long: the member is told, and the log says whose fault it
 * was. */
void invocation_apologise(struct shoal_invocation *inv);
/* Words for one whose answer Discord would not take: -ENOMEM. */
int invocation_sorry(struct shoal_invocation *inv, const struct shoal_result *result, struct content **ret_content);
/* What Discord made of a request, in words; what should not be is an incident, too. Answers; not to -ECANCELED. */
int invocation_refuse_result(struct shoal_invocation *inv, const struct shoal_result *result);
int invocation_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const struct shoal_word *words,
		      size_t word_count, bool is_error);

/* A phrase in the asker's language; a refusal is an error, for the asker alone where Discord allows it. Both answer, as
 * the functions above do. */
int invocation_reply_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase,
			    const struct shoal_word *words, size_t word_count);
int invocation_refuse(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const struct shoal_word *words,
		      size_t word_count);

/* Age of the event by its snowflake's time, milliseconds; 0 when our clock is behind Discord's. */
uint64_t invocation_age_ms(const struct shoal_invocation *inv);

#endif
