/* Changing settings, and what they were: set, take back, look at the history, go back to a version. Every change is
 * checked against the owner's schema first; sensitive values are sealed here and never leave in plain text. Loop thread
 * only. */
#ifndef SHOAL_SHARED_SETTINGS_SETTINGS_WRITE_H
#define SHOAL_SHARED_SETTINGS_SETTINGS_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/settings/settings.h"

#define SETTINGS_WORDS_SIZE  320
#define SETTINGS_HISTORY_MAX 50

struct settings_change {
	enum settings_layer layer; /* not SETTINGS_DEFAULT */
	struct settings_place place;
	const char *name;
	uint64_t by;      /* the member; 0: an operator */
	const char *note; /* what the history says beside it; NULL: nothing */
	uint64_t token; /* not 0: the same when the same change is asked for again after a crash (the interaction's id)
			 */
};

struct settings_outcome {
	int error;
	bool kept;       /* it waits on this machine's disk for the database */
	int64_t version; /* that it made; 0 when kept */
	/* Why not, when @error is set. For members: a phrase and its words, which point into this struct (don't copy
	 * it); NULL: nobody foresaw it. For operators: a sentence in English, always there. */
	const struct shoal_phrase *phrase;
	struct shoal_word said[3];
	size_t said_count;
	char name[SCHEMA_NAME_SIZE], number[VALUE_NUMBER_SIZE];
	char words[SETTINGS_WORDS_SIZE];
};

/* Exactly once per accepted change, on the loop, maybe from within; @outcome is borrowed. Errors beside db_result_fn's:
 * -ENOENT: nothing was set there, or there is no such version; -E2BIG: too many settings there; -EINVAL: the value of
 * that version no longer fits; -SHOAL_ENOKEY: no key to seal it with. */
typedef void (*settings_done_fn)(void *arg, const struct settings_outcome *outcome);

/* Sets what a person typed. @fn is called for every refusal too. */
void settings_set(struct settings *settings, const struct settings_change *change, const char *text,
		  settings_done_fn fn, void *arg);
/* Back to what the layers behind it say. */
void settings_reset(struct settings *settings, const struct settings_change *change, settings_done_fn fn, void *arg);
/* The value of that version again, as a new version. Not of a member's own settings, which have no history. */
void settings_rollback(struct settings *settings, const struct settings_change *change, int64_t version,
		       settings_done_fn fn, void *arg);

struct setting_past {
	const char *name;
	uint64_t channel_id; /* 0: the guild's own (or global) */
	int64_t version;
	bool set;          /* false: it was taken back */
	const char *shown; /* in words; of sensitive ones that they are hidden */
	uint64_t by;       /* 0: an operator, or someone who asked to be forgotten */
	int64_t at_ms;
	const char *note;
};
/* Newest first. @error as db_result_fn; @words a sentence in English then. */
typedef void (*settings_history_fn)(void *arg, int error, const char *words, const struct setting_past *rows,
				    size_t count);
/* @name NULL: everything in that guild. @limit at most SETTINGS_HISTORY_MAX. What each was before is the next older row
 * of the same name. @language is of what is shown. */
void settings_history(struct settings *settings, enum settings_layer layer, const struct settings_place *place,
		      const char *name, size_t limit, enum shoal_language language, settings_history_fn fn, void *arg);
/* The version that @note says a row goes back to; 0: it says something else. */
int64_t settings_note_back(const char *note);

/* Why a change or a question failed, for members; NULL: it is none of what can happen. */
const struct shoal_phrase *settings_error_phrase(const struct settings *settings, int error);
/* The same in English, also for what nobody foresaw. */
void settings_error_words(const struct settings *settings, int error, char words[SETTINGS_WORDS_SIZE]);
/* Why a value can't be read (setting_answer.problem): behind a colon. */
const struct shoal_phrase *settings_problem_phrase(int problem);
const char *settings_problem_words(int problem); /* in English */

#endif
