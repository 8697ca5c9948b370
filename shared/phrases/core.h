/* The core's phrases, one row each: id, English, German, Spanish, Italian. */
#ifndef SHOAL_SHARED_PHRASES_CORE_H
#define SHOAL_SHARED_PHRASES_CORE_H

#include <shoal/phrase.h>

#include "shared/phrases/access.h"
#include "shared/phrases/builtin.h"
#include "shared/phrases/discord.h"
#include "shared/phrases/modules.h"
#include "shared/phrases/permission_names.h"
#include "shared/phrases/permissions.h"
#include "shared/phrases/settings.h"

/* clang-format off */
#define CORE_PHRASES(P) \
	P(HELLO, \
	  "Hello! `/help` shows what I can do.", \
	  "Hallo! `/help` zeigt, was ich kann.", \
	  "¡Hola! `/help` muestra lo que sé hacer.", \
	  "Ciao! `/help` mostra che cosa so fare.") \
	P(COMMAND_GONE, \
	  "I don't have that command any more. Discord will drop it from the list soon.", \
	  "Diesen Befehl habe ich nicht mehr. Discord nimmt ihn bald von der Liste.", \
	  "Ya no tengo ese comando. Discord lo quitará pronto de la lista.", \
	  "Non ho più quel comando. Discord lo toglierà presto dall'elenco.") \
	P(COMMAND_UNKNOWN, \
	  "There is no such command. `/help` lists them all.", \
	  "Diesen Befehl gibt es nicht. `/help` nennt alle.", \
	  "No existe ese comando. `/help` los enumera todos.", \
	  "Questo comando non esiste. `/help` li elenca tutti.") \
	P(SERVERS_ONLY, \
	  "`{command}` works in servers only, not in direct messages.", \
	  "`{command}` geht nur auf Servern, nicht in Direktnachrichten.", \
	  "`{command}` funciona solo en servidores, no en mensajes directos.", \
	  "`{command}` funziona solo nei server, non nei messaggi diretti.") \
	P(DMS_ONLY, \
	  "`{command}` works in direct messages with me only.", \
	  "`{command}` geht nur in Direktnachrichten mit mir.", \
	  "`{command}` funciona solo en mensajes directos conmigo.", \
	  "`{command}` funziona solo nei messaggi diretti con me.") \
	P(NSFW_ONLY, \
	  "`{command}` works in age-restricted channels only.", \
	  "`{command}` geht nur in Kanälen mit Altersbeschränkung.", \
	  "`{command}` funciona solo en canales con restricción de edad.", \
	  "`{command}` funziona solo nei canali con limite di età.") \
	P(TARGET_GONE, \
	  "What you chose this for is not there any more.", \
	  "Das, wofür du es gewählt hast, ist nicht mehr da.", \
	  "Aquello para lo que lo elegiste ya no está.", \
	  "Ciò per cui l'hai scelto non c'è più.") \
	P(SLASH_ONLY, \
	  "Please use `/{command}` for this.", \
	  "Bitte nutze dafür `/{command}`.", \
	  "Usa `/{command}` para esto, por favor.", \
	  "Per questo usa `/{command}`, per favore.") \
	P(PERMISSION_NEEDED, \
	  "You need the permission *{permission}* for `/{command}`.", \
	  "Für `/{command}` brauchst du die Berechtigung *{permission}*.", \
	  "Necesitas el permiso *{permission}* para `/{command}`.", \
	  "Ti serve il permesso *{permission}* per `/{command}`.") \
	P(COOLDOWN_USER, \
	  "You can use `{command}` again in {wait}.", \
	  "Du kannst `{command}` in {wait} wieder benutzen.", \
	  "Podrás usar `{command}` de nuevo dentro de {wait}.", \
	  "Potrai usare di nuovo `{command}` tra {wait}.") \
	P(COOLDOWN_GUILD, \
	  "`{command}` is used a lot in this server just now; it can be used again in {wait}.", \
	  "`{command}` wird auf diesem Server gerade viel benutzt; in {wait} geht es wieder.", \
	  "`{command}` se está usando mucho en este servidor; se podrá usar de nuevo dentro de {wait}.", \
	  "`{command}` viene usato molto in questo server; si potrà usare di nuovo tra {wait}.") \
	P(COOLDOWN_CHANNEL, \
	  "`{command}` is used a lot in this channel just now; it can be used again in {wait}.", \
	  "`{command}` wird in diesem Kanal gerade viel benutzt; in {wait} geht es wieder.", \
	  "`{command}` se está usando mucho en este canal; se podrá usar de nuevo dentro de {wait}.", \
	  "`{command}` viene usato molto in questo canale; si potrà usare di nuovo tra {wait}.") \
	P(WORD_MISSING, \
	  "`{command}` needs one more word: {words}.", \
	  "`{command}` braucht noch ein Wort: {words}.", \
	  "A `{command}` le falta una palabra: {words}.", \
	  "A `{command}` manca una parola: {words}.") \
	P(OPTION_MISSING, \
	  "`{option}` is missing: {description}", \
	  "`{option}` fehlt: {description}", \
	  "Falta `{option}`: {description}", \
	  "Manca `{option}`: {description}") \
	P(OPTION_LENGTH, \
	  "`{option}` must be {min} to {max} characters long.", \
	  "`{option}` muss {min} bis {max} Zeichen lang sein.", \
	  "`{option}` debe tener de {min} a {max} caracteres.", \
	  "`{option}` deve essere lungo da {min} a {max} caratteri.") \
	P(OPTION_RANGE, \
	  "`{option}` must be a number from {min} to {max}.", \
	  "`{option}` muss eine Zahl von {min} bis {max} sein.", \
	  "`{option}` debe ser un número de {min} a {max}.", \
	  "`{option}` deve essere un numero da {min} a {max}.") \
	P(OPTION_TOO_LARGE, \
	  "`{option}` is too large a number.", \
	  "`{option}` ist eine zu große Zahl.", \
	  "`{option}` es un número demasiado grande.", \
	  "`{option}` è un numero troppo grande.") \
	P(OPTION_TEXT, \
	  "`{option}` must be text.", \
	  "`{option}` muss Text sein.", \
	  "`{option}` debe ser texto.", \
	  "`{option}` deve essere un testo.") \
	P(OPTION_INTEGER, \
	  "`{option}` must be a whole number.", \
	  "`{option}` muss eine ganze Zahl sein.", \
	  "`{option}` debe ser un número entero.", \
	  "`{option}` deve essere un numero intero.") \
	P(OPTION_NUMBER, \
	  "`{option}` must be a number.", \
	  "`{option}` muss eine Zahl sein.", \
	  "`{option}` debe ser un número.", \
	  "`{option}` deve essere un numero.") \
	P(OPTION_BOOLEAN, \
	  "`{option}` must be yes or no.", \
	  "`{option}` muss ja oder nein sein (yes, no).", \
	  "`{option}` debe ser sí o no (yes, no).", \
	  "`{option}` deve essere sì o no (yes, no).") \
	P(OPTION_ID, \
	  "`{option}` must be a member or a role: mention one, or give an ID.", \
	  "`{option}` muss ein Mitglied oder eine Rolle sein: erwähne es, oder gib eine ID an.", \
	  "`{option}` debe ser un miembro o un rol: menciónalo o da un ID.", \
	  "`{option}` deve essere un membro o un ruolo: menzionalo o indica un ID.") \
	P(FORM_TOO_LATE, \
	  "That took too long on our side. Please try again.", \
	  "Das hat bei uns zu lange gedauert. Bitte versuche es noch einmal.", \
	  "Eso tardó demasiado por nuestra parte. Inténtalo de nuevo.", \
	  "Ci abbiamo messo troppo. Riprova, per favore.") \
	P(OPTION_USER, \
	  "`{option}` must be a member: mention one, or give an ID.", \
	  "`{option}` muss ein Mitglied sein: erwähne eines, oder gib eine ID an.", \
	  "`{option}` debe ser un miembro: menciona a uno o da un ID.", \
	  "`{option}` deve essere un membro: menzionane uno o indica un ID.") \
	P(OPTION_CHANNEL, \
	  "`{option}` must be a channel: mention one, or give its name or ID.", \
	  "`{option}` muss ein Kanal sein: erwähne einen, oder gib Namen oder ID an.", \
	  "`{option}` debe ser un canal: menciona uno o da su nombre o ID.", \
	  "`{option}` deve essere un canale: menzionane uno o indica il nome o l'ID.") \
	P(OPTION_ROLE, \
	  "`{option}` must be a role: mention one, or give its name or ID.", \
	  "`{option}` muss eine Rolle sein: erwähne eine, oder gib Namen oder ID an.", \
	  "`{option}` debe ser un rol: menciona uno o da su nombre o ID.", \
	  "`{option}` deve essere un ruolo: menzionane uno o indica il nome o l'ID.") \
	P(OPTION_CHOICE, \
	  "`{option}` must be one of: {choices}.", \
	  "`{option}` muss eines von diesen sein: {choices}.", \
	  "`{option}` debe ser uno de estos: {choices}.", \
	  "`{option}` deve essere uno di questi: {choices}.") \
	P(OPTION_NOT_FOUND, \
	  "I can't find what you gave for `{option}`.", \
	  "Was du für `{option}` angegeben hast, finde ich nicht.", \
	  "No encuentro lo que diste para `{option}`.", \
	  "Non trovo quello che hai indicato per `{option}`.") \
	P(OPTION_CHANNEL_KIND, \
	  "`{option}` must be a channel of another kind: {description}", \
	  "`{option}` muss ein Kanal anderer Art sein: {description}", \
	  "`{option}` debe ser un canal de otro tipo: {description}", \
	  "`{option}` deve essere un canale di un altro tipo: {description}") \
	P(OPTION_FILE, \
	  "`{option}` is missing; please attach a file: {description}", \
	  "`{option}` fehlt; bitte hänge eine Datei an: {description}", \
	  "Falta `{option}`; adjunta un archivo: {description}", \
	  "Manca `{option}`; allega un file: {description}") \
	P(OPTION_UNKNOWN, \
	  "One of the options that begin with `--` is not of this command.", \
	  "Eine der Optionen, die mit `--` beginnen, hat dieser Befehl nicht.", \
	  "Una de las opciones que empiezan con `--` no es de este comando.", \
	  "Una delle opzioni che iniziano con `--` non è di questo comando.") \
	P(OPTION_TWICE, \
	  "`{option}` was given twice.", \
	  "`{option}` wurde zweimal angegeben.", \
	  "`{option}` se dio dos veces.", \
	  "`{option}` è stato indicato due volte.") \
	P(OPTION_TOO_MANY, \
	  "There are more words than I know what to do with.", \
	  "Das sind mehr Wörter, als ich hier brauchen kann.", \
	  "Hay más palabras de las que puedo usar.", \
	  "Ci sono più parole di quante me ne servono.") \
	P(STATS_COMMANDS, \
	  "{count} commands used, {failed} went wrong.", \
	  "{count} Befehle benutzt, {failed} gingen schief.", \
	  "{count} comandos usados, {failed} fallaron.", \
	  "{count} comandi usati, {failed} non riusciti.") \
	P(STATS_MOST_USED, \
	  "Most used on this shard: {commands}.", \
	  "Am meisten benutzt auf diesem Shard: {commands}.", \
	  "Los más usados en este shard: {commands}.", \
	  "I più usati su questo shard: {commands}.") \
	P(USAGE, \
	  "Use it like this: `{usage}`", \
	  "So geht es: `{usage}`", \
	  "Se usa así: `{usage}`", \
	  "Si usa così: `{usage}`") \
	P(USAGE_FILE, "file", "Datei", "archivo", "file") \
	P(DISCORD_SILENT, \
	  "Discord did not tell me who that is. Please try again in a moment.", \
	  "Discord hat mir nicht gesagt, wer das ist. Bitte versuche es gleich noch einmal.", \
	  "Discord no me dijo quién es. Inténtalo de nuevo en un momento.", \
	  "Discord non mi ha detto chi è. Riprova tra poco.") \
	P(OPTION_KIND_UNKNOWN, \
	  "I don't know this kind of `{option}`; please try again after an update.", \
	  "Diese Art von `{option}` kenne ich nicht; bitte versuche es nach einem Update.", \
	  "No conozco este tipo de `{option}`; inténtalo después de una actualización.", \
	  "Non conosco questo tipo di `{option}`; riprova dopo un aggiornamento.") \
	P(MODULE_CRASHED, \
	  "This is switched off for now: it did not work properly here. I try it again by myself in a while.", \
	  "Das ist vorläufig abgeschaltet, weil es hier nicht richtig funktioniert hat. Ich versuche es später von selbst wieder.", \
	  "Esto está desactivado por ahora: no funcionaba bien aquí. Lo intentaré de nuevo más tarde.", \
	  "Per ora è disattivato: qui non funzionava bene. Riproverò da solo tra un po'.") \
	P(MODULE_OFF, \
	  "The module `{module}` is switched off in this server. Its admins can change that with `/module enable`.", \
	  "Das Modul `{module}` ist auf diesem Server abgeschaltet. Admins können das mit `/module enable` ändern.", \
	  "El módulo `{module}` está desactivado en este servidor. Sus administradores pueden cambiarlo con `/module enable`.", \
	  "Il modulo `{module}` è disattivato in questo server. I suoi amministratori possono cambiarlo con `/module enable`.") \
	P(COMPONENT_GONE, \
	  "This button or menu is from an older message and does nothing any more. Please use the command again.", \
	  "Dieser Button oder dieses Menü ist aus einer älteren Nachricht und tut nichts mehr. Bitte rufe den Befehl neu auf.", \
	  "Este botón o menú es de un mensaje anterior y ya no hace nada. Usa el comando otra vez.", \
	  "Questo pulsante o menu viene da un vecchio messaggio e non fa più nulla. Usa di nuovo il comando.") \
	P(COMPONENT_FOREIGN, \
	  "This is not yours to press.", \
	  "Das ist nicht für dich bestimmt.", \
	  "Esto no es para ti.", \
	  "Questo non è per te.") \
	P(NO_MEMORY, \
	  "That did not work: I am out of memory. Please try again in a moment.", \
	  "Das hat nicht geklappt: Mir fehlt Arbeitsspeicher. Bitte versuche es gleich noch einmal.", \
	  "No funcionó: me falta memoria. Inténtalo de nuevo en un momento.", \
	  "Non ha funzionato: mi manca la memoria. Riprova tra poco.") \
	P(NO_ANSWER, \
	  "That did not work: something of mine gave no answer. It is noted as incident {incident}.", \
	  "Das hat nicht geklappt: Etwas von mir hat nicht geantwortet. Es ist als Vorfall {incident} notiert.", \
	  "No funcionó: algo mío no respondió. Queda anotado como incidente {incident}.", \
	  "Non ha funzionato: qualcosa di mio non ha risposto. È annotato come incidente {incident}.") \
	P(UNEXPECTED, \
	  "That did not work, and it should have. It is noted as incident {incident}; please tell my operator.", \
	  "Das hat nicht geklappt, obwohl es sollte. Es ist als Vorfall {incident} notiert; bitte sag es meinem Betreiber.", \
	  "No funcionó, y debería. Queda anotado como incidente {incident}; avisa a mi operador, por favor.", \
	  "Non ha funzionato, e avrebbe dovuto. È annotato come incidente {incident}; avvisa il mio gestore, per favore.") \
	P(DATABASE_NONE, \
	  "I run without a database here, so nothing can be stored. My operator can change that (postgres.conninfo).", \
	  "Ich laufe hier ohne Datenbank, es kann also nichts gespeichert werden. Mein Betreiber kann das ändern (postgres.conninfo).", \
	  "Aquí funciono sin base de datos, así que no puedo guardar nada. Mi operador puede cambiarlo (postgres.conninfo).", \
	  "Qui funziono senza database, quindi non posso salvare nulla. Il mio gestore può cambiarlo (postgres.conninfo).") \
	P(DATABASE_AWAY, \
	  "The database can't be reached just now. Nothing was changed; please try again later.", \
	  "Die Datenbank ist gerade nicht erreichbar. Nichts wurde geändert; bitte versuche es später.", \
	  "No se puede acceder a la base de datos ahora mismo. No se cambió nada; inténtalo más tarde.", \
	  "Il database non è raggiungibile in questo momento. Nulla è cambiato; riprova più tardi.") \
	P(DATABASE_BUSY, \
	  "The database is too busy just now. Nothing was changed; please try again in a moment.", \
	  "Die Datenbank ist gerade überlastet. Nichts wurde geändert; bitte versuche es gleich noch einmal.", \
	  "La base de datos está muy ocupada. No se cambió nada; inténtalo de nuevo en un momento.", \
	  "Il database è troppo occupato. Nulla è cambiato; riprova tra poco.") \
	P(DATABASE_UNKNOWN, \
	  "The connection to the database broke while the change was made. Please look whether it is there before you try again.", \
	  "Die Verbindung zur Datenbank riss während der Änderung ab. Bitte sieh nach, ob sie da ist, bevor du es wieder versuchst.", \
	  "La conexión con la base de datos se cortó durante el cambio. Comprueba si está hecho antes de intentarlo de nuevo.", \
	  "La connessione al database si è interrotta durante la modifica. Controlla se è presente prima di riprovare.") \
	P(KEPT_FOR_LATER, \
	  "The database is away; I have kept the change safely and write it when it is back.", \
	  "Die Datenbank ist gerade nicht erreichbar; ich habe die Änderung sicher aufgehoben und schreibe sie, sobald sie wieder da ist.", \
	  "La base de datos no está disponible; he guardado el cambio y lo escribiré cuando vuelva.", \
	  "Il database non è disponibile; ho conservato la modifica e la scriverò quando torna.")
/* clang-format on */

/* All lists; the codes' rows have no names but their numbers: phrase_DISCORD_CODE_50013. */
#define ALL_PHRASES(P)             \
	CORE_PHRASES(P)            \
	ACCESS_PHRASES(P)          \
	BUILTIN_PHRASES(P)         \
	PERMISSIONS_PHRASES(P)     \
	PERMISSION_NAME_PHRASES(P) \
	MODULE_PHRASES(P)          \
	SETTINGS_PHRASES(P)        \
	DISCORD_PHRASES(P)

#define P(id, ...)   extern const struct shoal_phrase phrase_##id;
#define C(code, ...) extern const struct shoal_phrase phrase_DISCORD_CODE_##code;
ALL_PHRASES(P)
DISCORD_CODE_PHRASES(C)
#undef C
#undef P

/* All of them, for the test that holds them together. */
extern const struct shoal_phrase *const core_phrases[];
extern const size_t core_phrase_count;

#endif
