/* Discord's error bodies. Run by the REST client for every answer that is no success; must survive any JSON value in
 * any place, any depth, any text. */
#include "shared/discord/discord_error.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/cleanup.h"

#define DEPTH_MAX 12

/* What a member is told. A row a code, or a status where the code says nothing. */
/* clang-format off */
static const struct words_row {
	uint32_t code;
	struct shoal_phrase words;
} words_rows[] = {
	{ 10003, SHOAL_PHRASE("That channel does not exist any more.",
			"Diesen Kanal gibt es nicht mehr.",
			"Ese canal ya no existe.",
			"Quel canale non esiste più.") },
	{ 10004, SHOAL_PHRASE("I am not in that server.",
			"Auf diesem Server bin ich nicht.",
			"No estoy en ese servidor.",
			"Non sono in quel server.") },
	{ 10007, SHOAL_PHRASE("That member is not in this server.",
			"Dieses Mitglied ist nicht auf diesem Server.",
			"Ese miembro no está en este servidor.",
			"Quel membro non è in questo server.") },
	{ 10008, SHOAL_PHRASE("That message does not exist any more.",
			"Diese Nachricht gibt es nicht mehr.",
			"Ese mensaje ya no existe.",
			"Quel messaggio non esiste più.") },
	{ 10011, SHOAL_PHRASE("That role does not exist any more.",
			"Diese Rolle gibt es nicht mehr.",
			"Ese rol ya no existe.",
			"Quel ruolo non esiste più.") },
	{ 10013, SHOAL_PHRASE("I can't find that user.",
			"Diesen Nutzer finde ich nicht.",
			"No encuentro a ese usuario.",
			"Non trovo quell'utente.") },
	{ 10014, SHOAL_PHRASE("I can't use that emoji.",
			"Dieses Emoji kann ich nicht benutzen.",
			"No puedo usar ese emoji.",
			"Non posso usare quell'emoji.") },
	{ 10015, SHOAL_PHRASE("That webhook does not exist any more.",
			"Diesen Webhook gibt es nicht mehr.",
			"Ese webhook ya no existe.",
			"Quel webhook non esiste più.") },
	{ 10026, SHOAL_PHRASE("That user is not banned.",
			"Dieser Nutzer ist nicht gebannt.",
			"Ese usuario no está baneado.",
			"Quell'utente non è bannato.") },
	{ 10062, SHOAL_PHRASE("That took too long; please try again.",
			"Das hat zu lange gedauert; bitte versuche es noch einmal.",
			"Tardó demasiado; inténtalo de nuevo.",
			"Ci è voluto troppo tempo; riprova.") },
	{ 10063, SHOAL_PHRASE("That command does not exist any more.",
			"Diesen Befehl gibt es nicht mehr.",
			"Ese comando ya no existe.",
			"Quel comando non esiste più.") },
	{ 20016, SHOAL_PHRASE("Slow mode is on in this channel; please try again in a moment.",
			"In diesem Kanal gilt der Slowmode; bitte versuche es gleich noch einmal.",
			"Este canal está en modo lento; inténtalo de nuevo en un momento.",
			"In questo canale è attiva la modalità lenta; riprova tra poco.") },
	{ 20022, SHOAL_PHRASE("This announcement can't be edited again so soon.",
			"Diese Ankündigung kann so bald nicht wieder bearbeitet werden.",
			"Este anuncio no se puede editar otra vez tan pronto.",
			"Questo annuncio non si può modificare di nuovo così presto.") },
	{ 20028, SHOAL_PHRASE("This channel is being written to too fast; please try again in a moment.",
			"In diesen Kanal wird zu schnell geschrieben; bitte versuche es gleich noch einmal.",
			"Se está escribiendo demasiado rápido en este canal; inténtalo de nuevo en un momento.",
			"Si sta scrivendo troppo in fretta in questo canale; riprova tra poco.") },
	{ 20029, SHOAL_PHRASE("This server is being written to too fast; please try again in a moment.",
			"Auf diesem Server wird zu schnell geschrieben; bitte versuche es gleich noch einmal.",
			"Se está escribiendo demasiado rápido en este servidor; inténtalo de nuevo en un momento.",
			"Si sta scrivendo troppo in fretta in questo server; riprova tra poco.") },
	{ 30003, SHOAL_PHRASE("This channel has no room for more pinned messages.",
			"In diesem Kanal ist kein Platz für weitere angepinnte Nachrichten.",
			"Este canal no admite más mensajes fijados.",
			"In questo canale non c'è posto per altri messaggi fissati.") },
	{ 30005, SHOAL_PHRASE("This server has as many roles as Discord allows.",
			"Dieser Server hat so viele Rollen, wie Discord erlaubt.",
			"Este servidor ya tiene todos los roles que Discord permite.",
			"Questo server ha già tutti i ruoli che Discord consente.") },
	{ 30007, SHOAL_PHRASE("This channel has as many webhooks as Discord allows.",
			"Dieser Kanal hat so viele Webhooks, wie Discord erlaubt.",
			"Este canal ya tiene todos los webhooks que Discord permite.",
			"Questo canale ha già tutti i webhook che Discord consente.") },
	{ 30010, SHOAL_PHRASE("This message has as many reactions as Discord allows.",
			"Diese Nachricht hat so viele Reaktionen, wie Discord erlaubt.",
			"Este mensaje ya tiene todas las reacciones que Discord permite.",
			"Questo messaggio ha già tutte le reazioni che Discord consente.") },
	{ 30013, SHOAL_PHRASE("This server has as many channels as Discord allows.",
			"Dieser Server hat so viele Kanäle, wie Discord erlaubt.",
			"Este servidor ya tiene todos los canales que Discord permite.",
			"Questo server ha già tutti i canali che Discord consente.") },
	{ 30034, SHOAL_PHRASE("Too many commands were registered today; please try again tomorrow.",
			"Heute wurden zu viele Befehle angemeldet; bitte versuche es morgen.",
			"Hoy se registraron demasiados comandos; inténtalo mañana.",
			"Oggi sono stati registrati troppi comandi; riprova domani.") },
	{ 30046, SHOAL_PHRASE("Messages older than an hour can't be edited that often; please try again later.",
			"Nachrichten, die älter als eine Stunde sind, können nicht so oft bearbeitet werden; bitte versuche es später.",
			"Los mensajes de hace más de una hora no se pueden editar tan a menudo; inténtalo más tarde.",
			"I messaggi più vecchi di un'ora non si possono modificare così spesso; riprova più tardi.") },
	{ 30060, SHOAL_PHRASE("This channel has as many permission rules as Discord allows.",
			"Dieser Kanal hat so viele Berechtigungsregeln, wie Discord erlaubt.",
			"Este canal ya tiene todas las reglas de permisos que Discord permite.",
			"Questo canale ha già tutte le regole di permesso che Discord consente.") },
	{ 40003, SHOAL_PHRASE("Direct messages are being opened too fast; please try again later.",
			"Direktnachrichten werden zu schnell geöffnet; bitte versuche es später.",
			"Se están abriendo mensajes directos demasiado rápido; inténtalo más tarde.",
			"Si stanno aprendo messaggi diretti troppo in fretta; riprova più tardi.") },
	{ 40005, SHOAL_PHRASE("That is too large for Discord.",
			"Das ist Discord zu groß.",
			"Es demasiado grande para Discord.",
			"È troppo grande per Discord.") },
	{ 40060, SHOAL_PHRASE("That was answered already.",
			"Das wurde schon beantwortet.",
			"Eso ya fue respondido.",
			"Ha già avuto risposta.") },
	{ 40062, SHOAL_PHRASE("Discord is busy; please try again in a moment.",
			"Discord ist überlastet; bitte versuche es gleich noch einmal.",
			"Discord está ocupado; inténtalo de nuevo en un momento.",
			"Discord è occupato; riprova tra poco.") },
	{ 40094, SHOAL_PHRASE("Discord allows no more answers here.",
			"Mehr Antworten erlaubt Discord hier nicht.",
			"Discord no permite más respuestas aquí.",
			"Discord non consente altre risposte qui.") },
	{ 50001, SHOAL_PHRASE("I can't see that channel.",
			"Diesen Kanal kann ich nicht sehen.",
			"No puedo ver ese canal.",
			"Non posso vedere quel canale.") },
	{ 50003, SHOAL_PHRASE("That does not work in direct messages.",
			"Das geht in Direktnachrichten nicht.",
			"Eso no funciona en mensajes directos.",
			"Non funziona nei messaggi diretti.") },
	{ 50005, SHOAL_PHRASE("I can only edit my own messages.",
			"Ich kann nur meine eigenen Nachrichten bearbeiten.",
			"Solo puedo editar mis propios mensajes.",
			"Posso modificare solo i miei messaggi.") },
	{ 50006, SHOAL_PHRASE("There is nothing to send.",
			"Es gibt nichts zu senden.",
			"No hay nada que enviar.",
			"Non c'è nulla da inviare.") },
	{ 50007, SHOAL_PHRASE("That user does not accept direct messages.",
			"Dieser Nutzer nimmt keine Direktnachrichten an.",
			"Ese usuario no acepta mensajes directos.",
			"Quell'utente non accetta messaggi diretti.") },
	{ 50008, SHOAL_PHRASE("That does not work in this kind of channel.",
			"Das geht in dieser Art von Kanal nicht.",
			"Eso no funciona en este tipo de canal.",
			"Non funziona in questo tipo di canale.") },
	{ 50013, SHOAL_PHRASE("I lack a permission for that, or that member ranks above me.",
			"Mir fehlt dafür eine Berechtigung, oder dieses Mitglied steht über mir.",
			"Me falta un permiso para eso, o ese miembro está por encima de mí.",
			"Mi manca un permesso, o quel membro è sopra di me.") },
	{ 50016, SHOAL_PHRASE("That many messages can't be deleted at once.",
			"So viele Nachrichten können nicht auf einmal gelöscht werden.",
			"No se pueden borrar tantos mensajes a la vez.",
			"Non si possono eliminare così tanti messaggi insieme.") },
	{ 50021, SHOAL_PHRASE("That does not work on a system message.",
			"Das geht bei einer Systemnachricht nicht.",
			"Eso no funciona con un mensaje del sistema.",
			"Non funziona con un messaggio di sistema.") },
	{ 50024, SHOAL_PHRASE("That does not work in this kind of channel.",
			"Das geht in dieser Art von Kanal nicht.",
			"Eso no funciona en este tipo de canal.",
			"Non funziona in questo tipo di canale.") },
	{ 50027, SHOAL_PHRASE("That took too long; please try again.",
			"Das hat zu lange gedauert; bitte versuche es noch einmal.",
			"Tardó demasiado; inténtalo de nuevo.",
			"Ci è voluto troppo tempo; riprova.") },
	{ 50034, SHOAL_PHRASE("Messages older than two weeks can't be deleted together.",
			"Nachrichten, die älter als zwei Wochen sind, können nicht zusammen gelöscht werden.",
			"Los mensajes de hace más de dos semanas no se pueden borrar juntos.",
			"I messaggi più vecchi di due settimane non si possono eliminare insieme.") },
	{ 50035, SHOAL_PHRASE("Discord did not accept what I tried to send.",
			"Discord hat nicht angenommen, was ich senden wollte.",
			"Discord no aceptó lo que intenté enviar.",
			"Discord non ha accettato ciò che volevo inviare.") },
	{ 50083, SHOAL_PHRASE("This thread is archived.",
			"Dieser Thread ist archiviert.",
			"Este hilo está archivado.",
			"Questo thread è archiviato.") },
	{ 50278, SHOAL_PHRASE("I share no server with that user.",
			"Mit diesem Nutzer teile ich keinen Server.",
			"No comparto ningún servidor con ese usuario.",
			"Non condivido alcun server con quell'utente.") },
	{ 60003, SHOAL_PHRASE("This server demands two-factor authentication of my owner for that.",
			"Dafür verlangt dieser Server von meinem Besitzer Zwei-Faktor-Authentifizierung.",
			"Para eso, este servidor exige a mi dueño la autenticación en dos pasos.",
			"Per questo il server richiede al mio proprietario l'autenticazione a due fattori.") },
	{ 90001, SHOAL_PHRASE("That member has blocked my reactions.",
			"Dieses Mitglied hat meine Reaktionen blockiert.",
			"Ese miembro ha bloqueado mis reacciones.",
			"Quel membro ha bloccato le mie reazioni.") },
	{ 110000, SHOAL_PHRASE("Discord is still indexing this server; please try again later.",
			"Discord durchsucht diesen Server noch; bitte versuche es später.",
			"Discord aún está indexando este servidor; inténtalo más tarde.",
			"Discord sta ancora indicizzando questo server; riprova più tardi.") },
	{ 130000, SHOAL_PHRASE("Discord is overloaded; please try again in a moment.",
			"Discord ist überlastet; bitte versuche es gleich noch einmal.",
			"Discord está sobrecargado; inténtalo de nuevo en un momento.",
			"Discord è sovraccarico; riprova tra poco.") },
	{ 160002, SHOAL_PHRASE("I can't reply there: I may not read the channel's history.",
			"Dort kann ich nicht antworten: Ich darf den Verlauf des Kanals nicht lesen.",
			"No puedo responder allí: no puedo leer el historial del canal.",
			"Non posso rispondere lì: non posso leggere la cronologia del canale.") },
	{ 160005, SHOAL_PHRASE("This thread is locked.",
			"Dieser Thread ist gesperrt.",
			"Este hilo está bloqueado.",
			"Questo thread è bloccato.") },
	{ 200000, SHOAL_PHRASE("The server's AutoMod blocked that.",
			"Die AutoMod des Servers hat das blockiert.",
			"El AutoMod del servidor lo bloqueó.",
			"L'AutoMod del server lo ha bloccato.") },
	{ 200001, SHOAL_PHRASE("The server's AutoMod blocked that.",
			"Die AutoMod des Servers hat das blockiert.",
			"El AutoMod del servidor lo bloqueó.",
			"L'AutoMod del server lo ha bloccato.") },
	{ 240000, SHOAL_PHRASE("Discord considers a link in that harmful.",
			"Discord hält einen Link darin für schädlich.",
			"Discord considera dañino un enlace de ese texto.",
			"Discord considera dannoso un link in quel testo.") },
	{ 500000, SHOAL_PHRASE("None of these users could be banned.",
			"Keiner dieser Nutzer konnte gebannt werden.",
			"No se pudo banear a ninguno de esos usuarios.",
			"Non è stato possibile bannare nessuno di quegli utenti.") },
	{ 520001, SHOAL_PHRASE("That poll is over.",
			"Diese Umfrage ist beendet.",
			"Esa encuesta ha terminado.",
			"Quel sondaggio è finito.") },
};

static const struct status_row {
	uint32_t from, to;
	struct shoal_phrase words;
} status_rows[] = {
	{ 400, 400, SHOAL_PHRASE("Discord did not accept what I tried to send.",
			"Discord hat nicht angenommen, was ich senden wollte.",
			"Discord no aceptó lo que intenté enviar.",
			"Discord non ha accettato ciò che volevo inviare.") },
	{ 401, 401, SHOAL_PHRASE("Discord does not let me in at the moment; my owner has been told.",
			"Discord lässt mich gerade nicht herein; mein Besitzer weiß es.",
			"Discord no me deja entrar en este momento; mi dueño ya lo sabe.",
			"Discord non mi lascia entrare in questo momento; il mio proprietario è stato avvisato.") },
	{ 403, 403, SHOAL_PHRASE("I lack a permission for that.",
			"Mir fehlt dafür eine Berechtigung.",
			"Me falta un permiso para eso.",
			"Mi manca un permesso per questo.") },
	{ 404, 404, SHOAL_PHRASE("That does not exist any more.",
			"Das gibt es nicht mehr.",
			"Eso ya no existe.",
			"Non esiste più.") },
	{ 429, 429, SHOAL_PHRASE("Discord asks me to slow down; please try again in a moment.",
			"Discord bittet mich, langsamer zu machen; bitte versuche es gleich noch einmal.",
			"Discord me pide ir más despacio; inténtalo de nuevo en un momento.",
			"Discord mi chiede di rallentare; riprova tra poco.") },
	{ 500, 599, SHOAL_PHRASE("Discord has trouble at the moment; please try again.",
			"Discord hat gerade Schwierigkeiten; bitte versuche es noch einmal.",
			"Discord tiene problemas en este momento; inténtalo de nuevo.",
			"Discord ha problemi in questo momento; riprova.") },
};

static const struct shoal_phrase unreachable =
	SHOAL_PHRASE("Discord can't be reached at the moment; please try again.",
		     "Discord ist gerade nicht erreichbar; bitte versuche es noch einmal.",
		     "No se puede contactar con Discord en este momento; inténtalo de nuevo.",
		     "Discord non è raggiungibile in questo momento; riprova.");
/* clang-format on */

const struct shoal_phrase *discord_error_phrase(uint32_t http_status, uint32_t code)
{
	for (size_t i = 0; code && i < ARRAY_SIZE(words_rows); i++)
		if (words_rows[i].code == code)
			return &words_rows[i].words;
	for (size_t i = 0; i < ARRAY_SIZE(status_rows); i++)
		if (http_status >= status_rows[i].from && http_status <= status_rows[i].to)
			return &status_rows[i].words;
	return &unreachable;
}

const char *discord_error_words(uint32_t http_status, uint32_t code)
{
	return discord_error_phrase(http_status, code)->text[SHOAL_ENGLISH];
}

void discord_error_mend(char *text)
{
	size_t len = strlen(text), tail = 0;
	unsigned char lead;

	while (tail < len && tail < 4 && ((unsigned char)text[len - tail - 1] & 0xc0) == 0x80)
		tail++;
	if (tail == len)
		return;
	lead = (unsigned char)text[len - tail - 1];
	if (lead >= 0xc0 && tail + 1 < (lead >= 0xf0 ? 4U : lead >= 0xe0 ? 3U : 2U))
		text[len - tail - 1] = '\0';
}

/* Copies outside text: cut at @size on a character's border, control characters become blanks. */
static void take_text(const char *from, char *to, size_t size)
{
	size_t len = 0;

	if (!from)
		from = "";
	for (; from[len] && len + 1 < size; len++) {
		unsigned char c = (unsigned char)from[len];

		to[len] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
	}
	to[len] = '\0';
	discord_error_mend(to);
}

/* Takes the leaf list @list of the node at @path. */
static void take_leaf(const json_t *list, const char *path, struct discord_error *error)
{
	const json_t *leaf;
	size_t i;

	json_array_foreach(list, i, leaf)
	{
		unsigned at = error->field_count;

		if (!json_is_object(leaf))
			continue;
		error->fields_total++;
		if (at == DISCORD_ERROR_FIELDS)
			continue;
		take_text(path, error->fields[at].path, sizeof(error->fields[at].path));
		take_text(json_string_value(json_object_get(leaf, "code")), error->fields[at].code,
			  sizeof(error->fields[at].code));
		take_text(json_string_value(json_object_get(leaf, "message")), error->fields[at].message,
			  sizeof(error->fields[at].message));
		error->field_count++;
	}
}

/* Walks one level; @path is a scratch buffer holding the way so far. */
static void walk(const json_t *node, char *path, size_t path_size, unsigned depth, struct discord_error *error)
{
	size_t len = strlen(path);
	const char *key;
	json_t *value;

	if (depth > DEPTH_MAX || !json_is_object(node))
		return;
	json_object_foreach((json_t *)node, key, value)
	{
		if (strcmp(key, "_errors") == 0) {
			take_leaf(value, path, error);
			continue;
		}
		snprintf(path + len, path_size - len, "%s%s", len ? "." : "", key);
		walk(value, path, path_size, depth + 1, error);
		path[len] = '\0';
	}
}

void discord_error_read(const json_t *body, struct discord_error *ret_error)
{
	const json_t *code = json_object_get(body, "code"), *message = json_object_get(body, "message");
	const json_t *retry_after = json_object_get(body, "retry_after");
	char path[512] = "";

	memset(ret_error, 0, sizeof(*ret_error));
	ret_error->retry_after_s = -1;
	if (!json_is_object(body))
		return;
	if (json_is_number(retry_after) && json_number_value(retry_after) >= 0)
		ret_error->retry_after_s = json_number_value(retry_after);
	ret_error->global = json_is_true(json_object_get(body, "global"));
	/* A 429 may lack the code; an error body without a message is none. */
	if (!json_is_string(message))
		return;
	ret_error->is_discord = true;
	if (json_is_integer(code) && json_integer_value(code) > 0 && json_integer_value(code) <= UINT32_MAX)
		ret_error->code = (uint32_t)json_integer_value(code);
	take_text(json_string_value(message), ret_error->message, sizeof(ret_error->message));
	walk(json_object_get(body, "errors"), path, sizeof(path), 0, ret_error);
}

void discord_error_text(const struct discord_error *error, uint32_t http_status, char *text, size_t size)
{
	size_t len;

	if (!error->is_discord) {
		snprintf(text, size, "HTTP %u without Discord's error body", http_status);
		return;
	}
	snprintf(text, size, "%u %s", error->code, error->message[0] ? error->message : "(no message)");
	for (unsigned i = 0; i < error->field_count; i++) {
		len = strlen(text);
		snprintf(text + len, size - len, "%s%s%s%s", i ? "; " : ": ", error->fields[i].path,
			 error->fields[i].path[0] ? ": " : "",
			 error->fields[i].message[0] ? error->fields[i].message : error->fields[i].code);
	}
	len = strlen(text);
	if (error->fields_total > error->field_count)
		snprintf(text + len, size - len, " (and %u more)", error->fields_total - error->field_count);
	discord_error_mend(text);
}
