/* The example: a command, buttons, a form. /echo says what it was told, counts how often it is asked to say so again,
 * and lets a member type something else. It keeps nothing: what a button needs travels in its custom id, so buttons of
 * messages from before a restart still work. */
#include <shoal/module.h>

#include <stdio.h>
#include <stdlib.h>

#define TIMES_MAX 99

/* Two buttons below what was said; how often it was said is in the first one's id. */
static int answer(struct shoal_invocation *inv, const char *text, long times, bool update)
{
	char again[SHOAL_CUSTOM_ID_MAX + 1], label[32];
	const struct shoal_button buttons[] = {
		{ .style = SHOAL_BUTTON_PRIMARY, .label = label, .custom_id = again, .disabled = times >= TIMES_MAX },
		{ .label = "Something else", .custom_id = "echo.ask" },
	};
	const struct shoal_action_row row = { .buttons = buttons, .button_count = SHOAL_COUNT(buttons) };
	/* No mentions: whatever a member had it say, it pings nobody. */
	const struct shoal_content content = { .text = text, .rows = &row, .row_count = 1 };

	snprintf(again, sizeof(again), "echo.again:%ld", times);
	snprintf(label, sizeof(label), times > 1 ? "Again (%ld)" : "Again", times);
	return update ? shoal_update(inv, &content) : shoal_reply(inv, &content);
}

static void echo(struct shoal_invocation *inv)
{
	answer(inv, shoal_invocation_string(inv, "text", ""), 1, false);
}

static const struct shoal_phrase worn_out = SHOAL_PHRASE(
	"That button is worn out. `/echo` makes a new one.", "Dieser Knopf ist verbraucht. `/echo` macht einen neuen.",
	"Ese botón está gastado. `/echo` hace uno nuevo.", "Quel pulsante è consumato. `/echo` ne crea uno nuovo.");
static const struct shoal_phrase nothing_in_it = SHOAL_PHRASE("There was nothing in it.", "Da stand nichts drin.",
							      "No había nada dentro.", "Non c'era niente dentro.");

/* The id came from the member's client: any number may stand there, or none. */
static void again(struct shoal_invocation *inv)
{
	char *end;
	long times = strtol(shoal_invocation_custom_rest(inv), &end, 10);

	if (*end || times < 1 || times >= TIMES_MAX) {
		shoal_refuse(inv, &worn_out, NULL, 0);
		return;
	}
	answer(inv, NULL, times + 1, true); /* NULL: the text stays */
}

static void ask(struct shoal_invocation *inv)
{
	const struct shoal_text_input input = { .custom_id = "text", .label = "What shall I say?", .most = 2000 };
	const struct shoal_modal form = {
		.custom_id = "echo.said", .title = "Echo", .inputs = &input, .input_count = 1
	};

	shoal_modal_show(inv, &form);
}

static void said(struct shoal_invocation *inv)
{
	const char *text = shoal_invocation_field(inv, "text");

	if (text && *text)
		answer(inv, text, 1, false);
	else
		shoal_refuse(inv, &nothing_in_it, NULL, 0);
}

static const struct shoal_command_option options[] = {
	{ .name = "text",
	  .description = "What I shall say",
	  .descriptions = SHOAL_LOCAL("Was ich sagen soll", "Qué debo decir", "Che cosa devo dire"),
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 1,
	  .max = 2000 },
};
static const struct shoal_command command = {
	.name = "echo",
	.description = "Says what you say",
	.descriptions = SHOAL_LOCAL("Sagt, was du sagst", "Dice lo que dices", "Dice quello che dici"),
	.options = options,
	.option_count = SHOAL_COUNT(options),
	.handle = echo,
};
static const struct shoal_command *const commands[] = { &command };

static const struct shoal_component_row components[] = {
	{ .prefix = "echo.again", .flags = SHOAL_COMPONENT_UPDATES, .handle = again },
	{ .prefix = "echo.ask", .flags = SHOAL_COMPONENT_MODAL, .handle = ask },
	{ .prefix = "echo.said", .handle = said },
};

SHOAL_MODULE(echo, .version = "1.0", .description = "Says what you say: the example of a module",
	     SHOAL_COMMANDS(commands), SHOAL_COMPONENTS(components));
