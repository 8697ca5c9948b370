/* The example: a command, buttons, a form. /echo says what it was told, counts how often it is asked to say so again,
 * and lets a member type something else. It keeps nothing: what a button needs travels in its custom id, so buttons of
 * messages from before a restart still work. */
#include <shoal/module.h>

#include <stdio.h>
#include <stdlib.h>

#define TIMES_MAX 99

/* All that it says, one row each: id, English, German, Spanish, Italian. */
/* clang-format off */
#define ECHO_PHRASES(P) \
	P(AGAIN, "Again", "Noch einmal", "Otra vez", "Ancora") \
	P(AGAIN_TIMES, "Again ({times})", "Noch einmal ({times})", "Otra vez ({times})", "Ancora ({times})") \
	P(SOMETHING_ELSE, "Something else", "Etwas anderes", "Otra cosa", "Qualcos'altro") \
	P(FORM_TITLE, "Echo", "Echo", "Eco", "Eco") \
	P(FORM_ASKS, "What shall I say?", "Was soll ich sagen?", "¿Qué digo?", "Che cosa devo dire?") \
	P(WORN_OUT, "That button is worn out. `/echo` makes a new one.", \
	  "Dieser Button ist verbraucht. `/echo` macht einen neuen.", \
	  "Ese botón está gastado. `/echo` hace uno nuevo.", "Quel pulsante è consumato. `/echo` ne crea uno nuovo.") \
	P(NOTHING_IN_IT, "There was nothing in it.", "Da stand nichts drin.", "No había nada dentro.", \
	  "Non c'era niente dentro.")
/* clang-format on */
SHOAL_PHRASES_DECLARE(echo_phrases, ECHO_PHRASES);
SHOAL_PHRASES_DEFINE(echo_phrases, ECHO_PHRASES);
#define PHRASE(id) (&echo_phrases.id)

/* In the asker's language, for what is no answer of its own. */
static const char *say(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const char *times, char *text,
		       size_t size)
{
	const struct shoal_word words[] = { { "times", times } };

	return shoal_phrase_print(phrase, shoal_invocation_language(inv), words, SHOAL_COUNT(words), text, size);
}

/* Two buttons below what was said; how often it was said is in the first one's id. */
static int answer(struct shoal_invocation *inv, const char *text, long times, bool update)
{
	char again[SHOAL_CUSTOM_ID_MAX + 1], label[80], other[80], number[24];
	const struct shoal_button buttons[] = {
		{ .style = SHOAL_BUTTON_PRIMARY, .label = label, .custom_id = again, .disabled = times >= TIMES_MAX },
		{ .label = other, .custom_id = "echo.ask" },
	};
	const struct shoal_action_row row = { .buttons = buttons, .button_count = SHOAL_COUNT(buttons) };
	/* No mentions: whatever a member had it say, it pings nobody. */
	const struct shoal_content content = { .text = text, .rows = &row, .row_count = 1 };

	snprintf(again, sizeof(again), "echo.again:%ld", times);
	snprintf(number, sizeof(number), "%ld", times);
	say(inv, times > 1 ? PHRASE(AGAIN_TIMES) : PHRASE(AGAIN), number, label, sizeof(label));
	say(inv, PHRASE(SOMETHING_ELSE), "", other, sizeof(other));
	return update ? shoal_update(inv, &content) : shoal_reply(inv, &content);
}

static void echo(struct shoal_invocation *inv)
{
	answer(inv, shoal_invocation_string(inv, "text", ""), 1, false);
}

/* The id came from the member's client: any number may stand there, or none. */
static void again(struct shoal_invocation *inv)
{
	char *end;
	long times = strtol(shoal_invocation_custom_rest(inv), &end, 10);

	if (*end || times < 1 || times >= TIMES_MAX) {
		shoal_refuse(inv, PHRASE(WORN_OUT), NULL, 0);
		return;
	}
	answer(inv, NULL, times + 1, true); /* NULL: the text stays */
}

static void ask(struct shoal_invocation *inv)
{
	char title[46], label[46];
	const struct shoal_text_input input = { .custom_id = "text", .label = label, .most = 2000 };
	const struct shoal_modal form = {
		.custom_id = "echo.said", .title = title, .inputs = &input, .input_count = 1
	};

	say(inv, PHRASE(FORM_TITLE), "", title, sizeof(title));
	say(inv, PHRASE(FORM_ASKS), "", label, sizeof(label));
	shoal_modal_show(inv, &form);
}

static void said(struct shoal_invocation *inv)
{
	const char *text = shoal_invocation_field(inv, "text");

	if (text && *text)
		answer(inv, text, 1, false);
	else
		shoal_refuse(inv, PHRASE(NOTHING_IN_IT), NULL, 0);
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
	     .descriptions = SHOAL_LOCAL("Sagt, was du sagst: das Beispiel eines Moduls",
					 "Dice lo que dices: el ejemplo de un módulo",
					 "Dice quello che dici: l'esempio di un modulo"),
	     SHOAL_PHRASES(echo_phrases), SHOAL_COMMANDS(commands), SHOAL_COMPONENTS(components));
