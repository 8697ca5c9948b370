/* What is said when somebody comes or goes. Pure but for the cache that it reads names and counts from. */
#ifndef SHOAL_MODULES_ADMIN_GREETING_H
#define SHOAL_MODULES_ADMIN_GREETING_H

#include "shard/modules/admin/wishes.h"

/* Whom it is about; texts are what members wrote. */
struct person {
	uint64_t id;
	char name[160];  /* as it is shown */
	char avatar[64]; /* hash; "": none */
	bool bot;
};

enum greeting_kind { GREETING_WELCOME, GREETING_DM, GREETING_LEAVE, GREETING_KIND_COUNT };

/* @content points into it: don't copy. */
struct greeting {
	struct shoal_content content;
	struct shoal_embed_content embed;
	uint64_t pinged;
	char text[8192], title[128], footer[256], picture[256], mention[32];
};

/* The channel that a kind goes to; 0: none, or a direct message. */
uint64_t greeting_channel(enum greeting_kind kind, const struct wishes *wishes);

/* What the admin wants to be said; "": shoal's own words. */
const char *greeting_text(enum greeting_kind kind, const struct wishes *wishes);

/* Whether @wishes want it for @person at all. */
bool greeting_wanted(enum greeting_kind kind, const struct wishes *wishes, const struct person *person);

/* @guild may be NULL (not known just now: no names and counts). @language: for shoal's own words. */
void greeting_make(struct greeting *greeting, enum greeting_kind kind, const struct wishes *wishes,
		   const struct person *person, const struct shoal_guild_view *guild, enum shoal_language language);

/* Why the bot can't send to @channel_id: the permission that it lacks there, or 0 with *ret_gone (there is no such
 * channel); 0 without: it can. Without a view nobody knows, so it can. */
uint64_t greeting_barred(const struct shoal_guild_view *guild, uint64_t bot_id, uint64_t channel_id, bool embed,
			 bool *ret_gone);

#endif
