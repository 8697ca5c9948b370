/* SPDX-License-Identifier: MIT */
/* Scopes: every asynchronous call belongs to one, that of an event, of a command (or button, or form), or of the module
 * itself. A call holds its scope, so an event is handled, and its place in the inbox given back, when the last call of
 * its scope is through. When a scope is ended early (the worker stops, the module is switched off, or you say so) each
 * call that is still open completes exactly once, with -ECANCELED, and what is begun later is refused with it.
 *
 * Loop thread only, like everything a module does: a call from another thread is refused (-EPERM, NULL) and named in
 * the log. Nothing here blocks, and nothing that you write may. */
#ifndef SHOAL_SCOPE_H
#define SHOAL_SCOPE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/api.h>

/* To go on later without a call that holds it (you wait for something of your own). Returns @scope. */
static inline struct shoal_scope *shoal_scope_hold(struct shoal_scope *scope)
{
	return shoal_api_table->scope_hold(scope);
}

/* NULL is nothing to do. */
static inline void shoal_scope_release(struct shoal_scope *scope)
{
	shoal_api_table->scope_release(scope);
}

/* Ends it early: each open call's function is called with -ECANCELED, exactly once, most of them before this returns.
 */
static inline void shoal_scope_cancel(struct shoal_scope *scope)
{
	shoal_api_table->scope_cancel(scope);
}

/* Whether a worker that died had begun this event: what you remember outside shoal may be done already. Effects need
 * not ask: they are done once. */
static inline bool shoal_scope_again(const struct shoal_scope *scope)
{
	return shoal_api_table->scope_again(scope);
}

/* The module's own scope, from setup to cleanup. */
static inline struct shoal_scope *shoal_scope_of_module(struct shoal_scope *scope)
{
	return shoal_api_table->scope_of_module(scope);
}

/* What the module keeps: one pointer, the same through any scope of the module. Set it in setup(), free it in
 * cleanup(). */
static inline void shoal_set_data(struct shoal_scope *scope, void *data)
{
	shoal_api_table->set_data(scope, data);
}

static inline void *shoal_data(const struct shoal_scope *scope)
{
	return shoal_api_table->data(scope);
}

/* --- time ------------------------------------------------------------------------------------------------------------
 */

/* @error: 0, or -ECANCELED: the scope ended first. */
typedef void (*shoal_timer_fn)(void *arg, int error);

/* Calls @fn once after @delay_ms (at least; 0: when everything else had its turn). It holds the scope: an event with a
 * timer is not handled before it has fired, and is begun again after a crash. *ret_id (may be NULL) is for
 * shoal_timer_cancel(). -ENOMEM, -ECANCELED: @fn is not called. */
static inline int shoal_timer_start(struct shoal_scope *scope, uint64_t delay_ms, shoal_timer_fn fn, void *arg,
				    uint64_t *ret_id)
{
	return shoal_api_table->timer_start(scope, delay_ms, fn, arg, ret_id);
}

/* @fn is called with -ECANCELED before this returns. -ENOENT: it has fired. */
static inline int shoal_timer_cancel(struct shoal_scope *scope, uint64_t id)
{
	return shoal_api_table->timer_cancel(scope, id);
}

/* Wall clock, Unix milliseconds: for Discord's times. It jumps. */
static inline int64_t shoal_now_ms(void)
{
	return shoal_api_table->now_ms();
}

/* Monotonic nanoseconds: for intervals. */
static inline uint64_t shoal_clock_ns(void)
{
	return shoal_api_table->clock_ns();
}

/* --- memory ----------------------------------------------------------------------------------------------------------
 */

/* Zeroed; counted on the module, so that one that leaks is named. Free with shoal_free() alone. NULL: none left. */
static inline void *shoal_alloc(struct shoal_scope *scope, size_t size)
{
	return shoal_api_table->alloc(scope, size);
}

/* NULL is nothing to do. */
static inline void shoal_free(void *memory)
{
	shoal_api_table->free(memory);
}

/* --- the log ---------------------------------------------------------------------------------------------------------
 */

enum shoal_log_level { SHOAL_LOG_DEBUG, SHOAL_LOG_INFO, SHOAL_LOG_WARN, SHOAL_LOG_ERROR };

/* One structured record with the module, the guild and the event of the scope. @event is a stable id of yours,
 * "echo.refused". Never a token, never a member's words. */
static inline __attribute__((format(printf, 4, 5))) void
shoal_log(struct shoal_scope *scope, enum shoal_log_level level, const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	shoal_api_table->vlog(scope, (int)level, event, format, args);
	va_end(args);
}

/* --- what shoal knows ------------------------------------------------------------------------------------------------
 */

/* A guild as the cache has it; NULL when it is not known just now. Gone when your function returns. */
static inline const struct shoal_guild_view *shoal_guild_get(struct shoal_scope *scope, uint64_t guild_id)
{
	return shoal_api_table->guild_get(scope, guild_id);
}

/* The bot's own user id; 0 until the first READY. */
static inline uint64_t shoal_self(struct shoal_scope *scope)
{
	return shoal_api_table->self(scope);
}

static inline uint32_t shoal_shard_id(struct shoal_scope *scope)
{
	return shoal_api_table->shard_id(scope);
}

#endif
