/* A module with everything that a command's row can have: options of all types, groups, suggestions, context menus,
 * localisations, a laid-out answer, sealed buttons. What it was told it says again, for the tests to read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/module.h>

static const struct shoal_choice sizes[] = {
	{ .name = "Small", .text = "s", .names = SHOAL_LOCAL("Klein", "Pequeño", "Piccolo") },
	{ .name = "Very large", .text = "xl" },
};

static void suggest_city(struct shoal_invocation *inv);

static const struct shoal_command_option all_options[] = {
	{ .name = "text",
	  .description = "Some text",
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 1,
	  .max = 200,
	  .names = SHOAL_LOCAL("text", "texto", "testo"),
	  .descriptions = SHOAL_LOCAL("Ein Text", "Un texto", "Un testo") },
	{ .name = "size", .description = "A size", .type = SHOAL_OPTION_STRING, .choices = sizes, .choice_count = 2 },
	{ .name = "count", .description = "How many", .type = SHOAL_OPTION_INTEGER, .min = 1, .max = 10 },
	{ .name = "ratio", .description = "How much", .type = SHOAL_OPTION_NUMBER, .least = 0, .most = 1.5 },
	{ .name = "loud", .description = "Whether", .type = SHOAL_OPTION_BOOLEAN },
	{ .name = "who", .description = "A member", .type = SHOAL_OPTION_USER },
	{ .name = "where",
	  .description = "A text channel",
	  .type = SHOAL_OPTION_CHANNEL,
	  .channel_types = SHOAL_CHANNEL_BIT(SHOAL_CHANNEL_TEXT) },
	{ .name = "role", .description = "A role", .type = SHOAL_OPTION_ROLE },
	{ .name = "either", .description = "A member or a role", .type = SHOAL_OPTION_MENTIONABLE },
	{ .name = "file", .description = "A file", .type = SHOAL_OPTION_ATTACHMENT },
	{ .name = "city", .description = "A city", .type = SHOAL_OPTION_STRING, .suggest = suggest_city },
};

static void all(struct shoal_invocation *inv)
{
	const struct shoal_resolved_user *who = shoal_option_user(inv, "who");
	const struct shoal_resolved_channel *where = shoal_option_channel(inv, "where");
	const struct shoal_resolved_role *role = shoal_option_role(inv, "role");
	const struct shoal_resolved_role *either_role = shoal_option_role(inv, "either");
	const struct shoal_resolved_user *either_user = shoal_option_user(inv, "either");
	const struct shoal_resolved_attachment *file = shoal_option_attachment(inv, "file");
	const struct shoal_resolved_user *me = shoal_resolved_user(inv, shoal_invocation_user_id(inv));

	shoal_reply_printf(inv,
			   "text=%s|size=%s|count=%lld|ratio=%.2f|loud=%d|who=%s,%d,%zu|where=%s|role=%s|either=%s|"
			   "file=%s,%llu|city=%s|me=%s",
			   shoal_invocation_string(inv, "text", "-"), shoal_invocation_string(inv, "size", "-"),
			   (long long)shoal_invocation_integer(inv, "count", -1),
			   shoal_invocation_number(inv, "ratio", -1), shoal_invocation_boolean(inv, "loud", false),
			   who ? who->shown_name : "-", who ? who->is_member : 0, who ? who->role_count : 0,
			   where ? where->name : "-", role ? role->name : "-",
			   either_role   ? either_role->name
			   : either_user ? either_user->shown_name
					 : "-",
			   file ? file->name : "-", file ? (unsigned long long)file->size_bytes : 0,
			   shoal_invocation_string(inv, "city", "-"), me ? me->username : "nobody");
}

/* --- suggestions --- */

static const struct shoal_choice cities[] = {
	{ .name = "Berlin" },
	{ .name = "Bern", .text = "bern_ch" },
	{ .name = "Roma", .names = SHOAL_LOCAL("Rom", NULL, NULL) },
};

static void suggest_city(struct shoal_invocation *inv)
{
	const char *typed = shoal_suggest_typed(inv);
	struct shoal_choice found[26];
	size_t count = 0;

	if (strcmp(typed, "nothing") == 0)
		return;
	if (strcmp(typed, "second") == 0) {
		shoal_suggest(inv, cities, 1);
		if (shoal_suggest(inv, cities, 3) != -EALREADY)
			abort();
		return;
	}
	if (strcmp(typed, "words") == 0) { /* not what is wanted here */
		shoal_reply_text(inv, "words");
		return;
	}
	if (strcmp(typed, "many") == 0) {
		for (count = 0; count < 26; count++)
			found[count] = cities[0];
		if (shoal_suggest(inv, found, 26) != -EINVAL)
			abort();
		return;
	}
	for (size_t i = 0; i < 3; i++)
		if (strncmp(cities[i].name, typed, strlen(typed)) == 0)
			found[count++] = cities[i];
	shoal_suggest(inv, found, count);
}

/* --- groups --- */

static void leaf(struct shoal_invocation *inv)
{
	shoal_reply_printf(inv, "leaf of a group, word %s", shoal_invocation_string(inv, "word", "-"));
}

static const struct shoal_command_option leaf_options[] = {
	{ .name = "word", .description = "A word", .type = SHOAL_OPTION_STRING, .required = true },
};
static const struct shoal_command leaves[] = {
	{ .name = "leaf", .description = "A leaf", .options = leaf_options, .option_count = 1, .handle = leaf },
};
static const struct shoal_command group_children[] = {
	{ .name = "group",
	  .description = "A group",
	  .children = leaves,
	  .child_count = 1,
	  .names = SHOAL_LOCAL("gruppe", "grupo", "gruppo") },
	{ .name = "single", .description = "Beside it", .options = leaf_options, .option_count = 1, .handle = leaf },
};

/* --- context menus --- */

static void greet(struct shoal_invocation *inv)
{
	const struct shoal_resolved_user *user = shoal_resolved_user(inv, shoal_target_id(inv));

	shoal_reply_printf(inv, "hello %s, member %d", user->shown_name, user->is_member);
}

static void quote(struct shoal_invocation *inv)
{
	const struct shoal_resolved_message *message = shoal_target_message(inv);

	shoal_reply_printf(inv, "%s said %s", message->author.shown_name, message->text);
}

/* --- laid out, sealed --- */

static void layout(struct shoal_invocation *inv)
{
	static const char *const texts[] = { "one", "two" };
	char mine[SHOAL_CUSTOM_ID_MAX + 1] = "", ours[SHOAL_CUSTOM_ID_MAX + 1] = "", open[SHOAL_CUSTOM_ID_MAX + 1] = "";
	int r = shoal_custom_id(inv, "kinds.mine", "7", mine) | shoal_custom_id(inv, "kinds.ours", "8", ours) |
		shoal_custom_id(inv, "kinds", NULL, open);
	const struct shoal_button buttons[] = { { .label = "mine", .custom_id = mine },
						{ .label = "ours", .custom_id = ours },
						{ .label = "open", .custom_id = open } };
	const struct shoal_action_row row = { .buttons = buttons, .button_count = 3 };
	const struct shoal_media_content pictures[] = { { .url = "https://example.org/a.png", .description = "a" },
							{ .url = "https://example.org/b.png", .spoiler = true } };
	const struct shoal_block inner[] = {
		{ .kind = SHOAL_BLOCK_SECTION, .texts = texts, .text_count = 2, .media = pictures, .media_count = 1 },
		{ .kind = SHOAL_BLOCK_SEPARATOR, .wide = true },
		{ .kind = SHOAL_BLOCK_GALLERY, .media = pictures, .media_count = 2 },
	};
	const struct shoal_block blocks[] = {
		{ .kind = SHOAL_BLOCK_TEXT, .text = "# laid out" },
		{ .kind = SHOAL_BLOCK_CONTAINER, .blocks = inner, .block_count = 3, .color = 0x336699 },
		{ .kind = SHOAL_BLOCK_ROW, .row = &row },
	};
	const struct shoal_content content = { .blocks = blocks, .block_count = 3 };
	const struct shoal_content mixed = { .text = "x", .blocks = blocks, .block_count = 3 };
	const struct shoal_content nested = { .blocks = &(const struct shoal_block){ .kind = SHOAL_BLOCK_CONTAINER,
										     .blocks = &blocks[1],
										     .block_count = 1 },
					      .block_count = 1 };

	if (r != 0 || shoal_custom_id(inv, "core", "x", mine) != -ENOENT)
		shoal_reply_incident(inv, "custom ids were not made as they should");
	else if (shoal_invocation_has(inv, "wrong"))
		shoal_reply(inv, shoal_invocation_boolean(inv, "wrong", false) ? &mixed : &nested);
	else
		shoal_reply(inv, &content);
}

static const struct shoal_command_option layout_options[] = {
	{ .name = "wrong", .description = "What Discord would refuse", .type = SHOAL_OPTION_BOOLEAN },
};

static void pressed(struct shoal_invocation *inv)
{
	shoal_reply_printf(inv, "pressed %s", shoal_invocation_custom_rest(inv));
}

static void incident(struct shoal_invocation *inv)
{
	shoal_reply_incident(inv, "it was asked for");
}

static const struct shoal_component_row components[] = {
	{ .prefix = "kinds.mine", .flags = SHOAL_COMPONENT_OWN, .handle = pressed },
	{ .prefix = "kinds.ours", .flags = SHOAL_COMPONENT_SEALED, .handle = pressed },
	{ .prefix = "kinds", .handle = pressed },
};

static const struct shoal_command rows[] = {
	{ .name = "all",
	  .description = "Every type",
	  .options = all_options,
	  .option_count = SHOAL_COUNT(all_options),
	  .handle = all,
	  .names = SHOAL_LOCAL("alles", "todo", "tutto"),
	  .descriptions = SHOAL_LOCAL("Jede Art", "Cada tipo", "Ogni tipo") },
	{ .name = "tree", .description = "Groups", .children = group_children, .child_count = 2 },
	{ .name = "Greet member", .description = "Greets", .kind = SHOAL_COMMAND_USER, .handle = greet },
	{ .name = "Quote", .description = "Quotes", .kind = SHOAL_COMMAND_MESSAGE, .handle = quote },
	{ .name = "layout", .description = "Laid out", .options = layout_options, .option_count = 1, .handle = layout },
	{ .name = "incident", .description = "Goes wrong", .handle = incident },
	{ .name = "grownup",
	  .description = "Age-restricted",
	  .flags = SHOAL_COMMAND_NSFW,
	  .contexts = SHOAL_IN_SERVERS,
	  .shown_to = SHOAL_PERMISSION(BAN_MEMBERS),
	  .handle = incident },
	{ .name = "alone", .description = "In private", .contexts = SHOAL_IN_BOT_DMS, .handle = incident },
};
static const struct shoal_command *const commands[] = { &rows[0], &rows[1], &rows[2], &rows[3],
							&rows[4], &rows[5], &rows[6], &rows[7] };

SHOAL_MODULE(kinds, .version = "1", .description = "Every kind", SHOAL_COMMANDS(commands),
	     SHOAL_COMPONENTS(components));
