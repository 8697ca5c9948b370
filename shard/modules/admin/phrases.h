/* What this module says, one row each: id, English, German, Spanish, Italian. */
#ifndef SHOAL_MODULES_ADMIN_PHRASES_H
#define SHOAL_MODULES_ADMIN_PHRASES_H

#include <shoal/phrase.h>

/* clang-format off */
#define ADMIN_PHRASES(P) \
	/* what is sent when nobody has written anything better; names as in any text of theirs */ \
	P(WELCOME, "Welcome to **{server}**, {user}! You are member number {count}.", \
	  "Willkommen auf **{server}**, {user}! Du bist Mitglied Nummer {count}.", \
	  "¡Bienvenido a **{server}**, {user}! Eres el miembro número {count}.", \
	  "Benvenuto su **{server}**, {user}! Sei il membro numero {count}.") \
	P(LEAVE, "**{name}** has left **{server}**; {count} members are still here.", \
	  "**{name}** hat **{server}** verlassen; {count} Mitglieder sind noch da.", \
	  "**{name}** ha dejado **{server}**; quedan {count} miembros.", \
	  "**{name}** ha lasciato **{server}**; restano {count} membri.") \
	P(EMBED_WELCOME, "Welcome!", "Willkommen!", "¡Bienvenido!", "Benvenuto!") \
	P(EMBED_LEAVE, "Goodbye!", "Auf Wiedersehen!", "¡Adiós!", "Arrivederci!") \
	P(DM_FROM, "Sent by the server {server}", "Gesendet vom Server {server}", "Enviado por el servidor {server}", \
	  "Inviato dal server {server}") \
	/* the preview */ \
	P(PREVIEW_OF, "This is what comes, as if you were the one:", "Das kommt, als wärst du es:", \
	  "Esto es lo que llega, como si fueras tú:", "Ecco che cosa arriva, come se fossi tu:") \
	P(OFF_WELCOME, "Welcome messages are off. `/settings set admin.welcome_channel` turns them on.", \
	  "Willkommensnachrichten sind aus. `/settings set admin.welcome_channel` schaltet sie ein.", \
	  "Los mensajes de bienvenida están desactivados. `/settings set admin.welcome_channel` los activa.", \
	  "I messaggi di benvenuto sono disattivati. `/settings set admin.welcome_channel` li attiva.") \
	P(OFF_LEAVE, "Leave messages are off. `/settings set admin.leave_channel` turns them on.", \
	  "Abschiedsnachrichten sind aus. `/settings set admin.leave_channel` schaltet sie ein.", \
	  "Los mensajes de despedida están desactivados. `/settings set admin.leave_channel` los activa.", \
	  "I messaggi di addio sono disattivati. `/settings set admin.leave_channel` li attiva.") \
	P(OFF_DM, "Direct messages to new members are off. `/settings set admin.welcome_dm` turns them on.", \
	  "Direktnachrichten an neue Mitglieder sind aus. `/settings set admin.welcome_dm` schaltet sie ein.", \
	  "Los mensajes directos a nuevos miembros están desactivados. `/settings set admin.welcome_dm` los activa.", \
	  "I messaggi diretti ai nuovi membri sono disattivati. `/settings set admin.welcome_dm` li attiva.") \
	P(OFF_ROLES, "New members get no roles. `/settings set admin.autorole_roles` changes that.", \
	  "Neue Mitglieder bekommen keine Rollen. `/settings set admin.autorole_roles` ändert das.", \
	  "Los nuevos miembros no reciben roles. `/settings set admin.autorole_roles` lo cambia.", \
	  "I nuovi membri non ricevono ruoli. `/settings set admin.autorole_roles` lo cambia.") \
	P(GOES_TO, "It goes to <#{channel}>.", "Es geht an <#{channel}>.", "Va a <#{channel}>.", "Va in <#{channel}>.") \
	P(CHANNEL_GONE, "⚠ The channel that is set is not there any more: nothing is sent.", \
	  "⚠ Den eingestellten Kanal gibt es nicht mehr: Es wird nichts gesendet.", \
	  "⚠ El canal configurado ya no existe: no se envía nada.", \
	  "⚠ Il canale impostato non esiste più: non viene inviato nulla.") \
	P(CHANNEL_CLOSED, "⚠ I may not write in <#{channel}> (*{permission}* is missing): nothing is sent.", \
	  "⚠ Ich darf in <#{channel}> nicht schreiben (*{permission}* fehlt): Es wird nichts gesendet.", \
	  "⚠ No puedo escribir en <#{channel}> (falta *{permission}*): no se envía nada.", \
	  "⚠ Non posso scrivere in <#{channel}> (manca *{permission}*): non viene inviato nulla.") \
	P(WORD_UNKNOWN, "⚠ `{word}` stays as it is; these are filled in: {words}", \
	  "⚠ `{word}` bleibt so stehen; ersetzt werden: {words}", \
	  "⚠ `{word}` se queda tal cual; se sustituyen: {words}", \
	  "⚠ `{word}` resta così com'è; vengono sostituiti: {words}") \
	P(ROLES_GIVEN, "New members get: {roles}", "Neue Mitglieder bekommen: {roles}", "Los nuevos miembros reciben: {roles}", \
	  "I nuovi membri ricevono: {roles}") \
	P(BOT_ROLES_GIVEN, "New bots get: {roles}", "Neue Bots bekommen: {roles}", "Los nuevos bots reciben: {roles}", \
	  "I nuovi bot ricevono: {roles}") \
	P(ROLES_AFTER_SCREENING, "Where members must accept the rules first, they get them after that.", \
	  "Wo Mitglieder erst den Regeln zustimmen müssen, bekommen sie sie danach.", \
	  "Donde hay que aceptar las reglas primero, los reciben después.", \
	  "Dove bisogna prima accettare le regole, li ricevono dopo.") \
	P(ROLE_BARRED, "⚠ <@&{role}>: {why}", "⚠ <@&{role}>: {why}", "⚠ <@&{role}>: {why}", "⚠ <@&{role}>: {why}") \
	P(SERVER_UNKNOWN, "I don't know this server yet. Please try again in a moment.", \
	  "Ich kenne diesen Server noch nicht. Bitte versuche es gleich noch einmal.", \
	  "Todavía no conozco este servidor. Inténtalo de nuevo en un momento.", \
	  "Non conosco ancora questo server. Riprova tra poco.") \
	P(SETTINGS_SILENT, "I can't read the settings just now. Please try again in a moment.", \
	  "Ich kann die Einstellungen gerade nicht lesen. Bitte versuche es gleich noch einmal.", \
	  "No puedo leer la configuración ahora. Inténtalo de nuevo en un momento.", \
	  "Non riesco a leggere le impostazioni ora. Riprova tra poco.") \
	P(REASON_AUTOROLE, "Role for new members", "Rolle für neue Mitglieder", "Rol para nuevos miembros", \
	  "Ruolo per i nuovi membri")
/* clang-format on */

SHOAL_PHRASES_DECLARE(admin_phrases, ADMIN_PHRASES);
#define PHRASE(id) (&admin_phrases.id)

#endif
