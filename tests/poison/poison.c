/* A worker that certain words kill: linked over shoal-shard for tests of dead letters (Makefile: --wrap), never
 * installed. Each function here stands before the real one and looks for its word in the event's bytes.
 *
 *   POISON-decode    dies while it is decoded
 *   POISON-handler   dies when its handler is to begin
 *   POISON-module    dies in the code of the module that handles it
 *   POISON-apply     dies while it is put into the guild cache
 *   POISON-later     dies when an effect of its has its result on the journal; and, when that is there, at its next one
 *   POISON-hang      its handler never returns */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "shard/cache/cache.h"
#include "shard/events/culprit.h"
#include "shard/events/journal.h"
#include "shard/events/ticket.h"
#include "shard/gateway/decode.h"

static bool later, in_module;

static bool has(struct shoal_str text, const char *word)
{
	return text.ptr && memmem(text.ptr, text.len, word, strlen(word));
}

int __real_decode_event(enum shoal_event_type type, struct shoal_str d, struct arena *arena, struct reader_stats *stats,
			struct shoal_event *ret_event);
int __wrap_decode_event(enum shoal_event_type type, struct shoal_str d, struct arena *arena, struct reader_stats *stats,
			struct shoal_event *ret_event);
int __wrap_decode_event(enum shoal_event_type type, struct shoal_str d, struct arena *arena, struct reader_stats *stats,
			struct shoal_event *ret_event)
{
	if (has(d, "POISON-decode"))
		raise(SIGSEGV);
	return __real_decode_event(type, d, arena, stats, ret_event);
}

void __real_ticket_identify(struct ticket *ticket, const struct shoal_event *event);
void __wrap_ticket_identify(struct ticket *ticket, const struct shoal_event *event);
void __wrap_ticket_identify(struct ticket *ticket, const struct shoal_event *event)
{
	__real_ticket_identify(ticket, event);
	if (event->type != SHOAL_EVENT_MESSAGE_CREATE)
		return;
	later = has(event->message->content, "POISON-later");
	in_module = has(event->message->content, "POISON-module");
	if (has(event->message->content, "POISON-handler"))
		raise(SIGFPE);
	while (has(event->message->content, "POISON-hang"))
		pause();
}

void __real_culprit_enter(struct culprit_frame *frame, struct module_entry *module, enum culprit_kind kind,
			  struct ticket *ticket, const char *what);
void __wrap_culprit_enter(struct culprit_frame *frame, struct module_entry *module, enum culprit_kind kind,
			  struct ticket *ticket, const char *what);
void __wrap_culprit_enter(struct culprit_frame *frame, struct module_entry *module, enum culprit_kind kind,
			  struct ticket *ticket, const char *what)
{
	__real_culprit_enter(frame, module, kind, ticket, what);
	if (in_module && module)
		raise(SIGSEGV);
}

int __real_cache_apply(struct cache *cache, const struct envelope *envelope, struct cache_outcome *ret_outcome);
int __wrap_cache_apply(struct cache *cache, const struct envelope *envelope, struct cache_outcome *ret_outcome);
int __wrap_cache_apply(struct cache *cache, const struct envelope *envelope, struct cache_outcome *ret_outcome)
{
	if (has(envelope->d, "POISON-apply"))
		raise(SIGILL);
	return __real_cache_apply(cache, envelope, ret_outcome);
}

int __real_journal_conclude(struct journal *journal, struct event_key event, uint32_t step,
			    const struct journal_row *row);
int __wrap_journal_conclude(struct journal *journal, struct event_key event, uint32_t step,
			    const struct journal_row *row);
int __wrap_journal_conclude(struct journal *journal, struct event_key event, uint32_t step,
			    const struct journal_row *row)
{
	int r = __real_journal_conclude(journal, event, step, row);

	if (later)
		raise(SIGSEGV);
	return r;
}

int __real_journal_get(struct journal *journal, struct event_key event, uint32_t step, struct journal_row *ret_row);
int __wrap_journal_get(struct journal *journal, struct event_key event, uint32_t step, struct journal_row *ret_row);
int __wrap_journal_get(struct journal *journal, struct event_key event, uint32_t step, struct journal_row *ret_row)
{
	int r = __real_journal_get(journal, event, step, ret_row);

	if (later && r == 0)
		raise(SIGSEGV);
	return r;
}
