/* What this module says, one row each: id, English, German, Spanish, Italian. */
#ifndef SHOAL_MODULES_REMIND_PHRASES_H
#define SHOAL_MODULES_REMIND_PHRASES_H

#include <shoal/phrase.h>

/* clang-format off */
#define REMIND_PHRASES(P) \
	P(SET, \
	  "I'll remind you {then}: {when}.", \
	  "Ich erinnere dich {then}: {when}.", \
	  "Te lo recordaré {then}: {when}.", \
	  "Te lo ricorderò {then}: {when}.") \
	P(SET_KEPT, \
	  "I'll remind you {then}: {when}. (My database is away; I keep it here until it is back.)", \
	  "Ich erinnere dich {then}: {when}. (Meine Datenbank ist gerade nicht erreichbar; ich behalte es hier, bis sie wieder da ist.)", \
	  "Te lo recordaré {then}: {when}. (Mi base de datos no está disponible; lo guardo aquí hasta que vuelva.)", \
	  "Te lo ricorderò {then}: {when}. (Il mio database non è disponibile; lo tengo qui finché non torna.)") \
	P(ZONE_READ, \
	  "Read as a time in {zone}; `/remind timezone` sets yours.", \
	  "Als Zeit in {zone} gelesen; `/remind timezone` setzt deine Zeitzone.", \
	  "Leído como hora de {zone}; `/remind timezone` fija la tuya.", \
	  "Letto come ora di {zone}; `/remind timezone` imposta la tua.") \
	P(WHEN_UNREAD, \
	  "I can't read that as a time. Try `in 2h30m`, `tomorrow 9:00`, `monday at 18:30` or `2027-03-01 08:00`.", \
	  "Das kann ich nicht als Zeit lesen. Versuch `in 2h30m`, `morgen 9:00`, `am Montag um 18:30` oder `1.3.2027`.", \
	  "No entiendo esa hora. Prueba `en 2h30m`, `mañana a las 9:00`, `el lunes a las 18:30` o `1.3.2027`.", \
	  "Non capisco quell'ora. Prova `tra 2h30m`, `domani alle 9:00`, `lunedì alle 18:30` o `1.3.2027`.") \
	P(WHEN_RANGE, \
	  "That time is past, or more than ten years ahead. (`/remind timezone` says where you are.)", \
	  "Diese Zeit ist vorbei oder mehr als zehn Jahre entfernt. (`/remind timezone` sagt, wo du bist.)", \
	  "Esa hora ya pasó, o faltan más de diez años. (`/remind timezone` dice dónde estás.)", \
	  "Quell'ora è passata, o mancano più di dieci anni. (`/remind timezone` dice dove sei.)") \
	P(NO_TEXT, \
	  "What shall I remind you of?", \
	  "Woran soll ich dich erinnern?", \
	  "¿De qué debo avisarte?", \
	  "Che cosa devo ricordarti?") \
	P(TOO_MANY, \
	  "You have 25 reminders here, which is all there may be. `/remind cancel` takes one back.", \
	  "Du hast hier 25 Erinnerungen; mehr dürfen es nicht sein. `/remind cancel` nimmt eine zurück.", \
	  "Tienes 25 recordatorios aquí, y no puede haber más. `/remind cancel` anula uno.", \
	  "Hai 25 promemoria qui, e non possono essere di più. `/remind cancel` ne annulla uno.") \
	P(NONE, \
	  "You have no reminders here.", \
	  "Du hast hier keine Erinnerungen.", \
	  "No tienes recordatorios aquí.", \
	  "Non hai promemoria qui.") \
	P(NOT_NOW, \
	  "My database is away just now. Please try again in a few minutes.", \
	  "Meine Datenbank ist gerade nicht erreichbar. Bitte versuch es in ein paar Minuten noch einmal.", \
	  "Mi base de datos no está disponible ahora. Inténtalo de nuevo en unos minutos.", \
	  "Il mio database non è disponibile in questo momento. Riprova tra qualche minuto.") \
	P(INCOMPLETE, \
	  "(My database is away: there may be more.)", \
	  "(Meine Datenbank ist nicht erreichbar: Es kann noch mehr geben.)", \
	  "(Mi base de datos no está disponible: puede haber más.)", \
	  "(Il mio database non è disponibile: potrebbero essercene altri.)") \
	P(NO_SUCH, \
	  "There is no reminder of that number. `/remind list` shows yours.", \
	  "Eine Erinnerung mit dieser Nummer gibt es nicht. `/remind list` zeigt deine.", \
	  "No hay ningún recordatorio con ese número. `/remind list` muestra los tuyos.", \
	  "Non c'è un promemoria con quel numero. `/remind list` mostra i tuoi.") \
	P(CANCELLED, \
	  "That reminder is taken back.", \
	  "Diese Erinnerung ist zurückgenommen.", \
	  "Ese recordatorio está anulado.", \
	  "Quel promemoria è annullato.") \
	P(ZONE_SET, \
	  "Your times are in {zone} now; there it is {time}.", \
	  "Deine Zeiten gelten jetzt in {zone}; dort ist es {time}.", \
	  "Tus horas son ahora de {zone}; allí son las {time}.", \
	  "Le tue ore sono ora di {zone}; lì sono le {time}.") \
	P(ZONE_UNKNOWN, \
	  "I don't know that time zone. It is written like `Europe/Rome`, `America/New_York` or `+02:00`.", \
	  "Diese Zeitzone kenne ich nicht. Man schreibt sie wie `Europe/Berlin`, `America/New_York` oder `+02:00`.", \
	  "No conozco esa zona horaria. Se escribe como `Europe/Madrid`, `America/New_York` o `+02:00`.", \
	  "Non conosco quel fuso orario. Si scrive come `Europe/Rome`, `America/New_York` o `+02:00`.") \
	P(RING, \
	  "⏰ {who} {text}", \
	  "⏰ {who} {text}", \
	  "⏰ {who} {text}", \
	  "⏰ {who} {text}") \
	P(RING_LATE, \
	  "⏰ {who} {text}\n-# I am late: it was due {when}.", \
	  "⏰ {who} {text}\n-# Ich bin spät dran: Es war {when} fällig.", \
	  "⏰ {who} {text}\n-# Llego tarde: tocaba {when}.", \
	  "⏰ {who} {text}\n-# Sono in ritardo: era per {when}.") \
	P(SNOOZE_10, \
	  "In 10 minutes", \
	  "In 10 Minuten", \
	  "En 10 minutos", \
	  "Tra 10 minuti") \
	P(SNOOZE_60, \
	  "In an hour", \
	  "In einer Stunde", \
	  "En una hora", \
	  "Tra un'ora") \
	P(SNOOZE_DAY, \
	  "Tomorrow", \
	  "Morgen", \
	  "Mañana", \
	  "Domani") \
	P(DONE, \
	  "Done", \
	  "Erledigt", \
	  "Hecho", \
	  "Fatto") \
	P(SNOOZED, \
	  "💤 I'll remind you again {when}.", \
	  "💤 Ich erinnere dich {when} noch einmal.", \
	  "💤 Te lo recordaré de nuevo {when}.", \
	  "💤 Te lo ricorderò di nuovo {when}.") \
	P(NOT_YOURS, \
	  "That is not your reminder, or it is too long ago.", \
	  "Das ist nicht deine Erinnerung, oder sie ist zu lange her.", \
	  "Ese recordatorio no es tuyo, o es de hace demasiado.", \
	  "Quel promemoria non è tuo, o è di troppo tempo fa.") \
	P(ZONE_NONE, \
	  "There is no such time zone. One is written like `Europe/Rome`, or `+02:00`.", \
	  "Diese Zeitzone gibt es nicht. Man schreibt sie wie `Europe/Berlin` oder `+02:00`.", \
	  "No existe esa zona horaria. Se escribe como `Europe/Madrid` o `+02:00`.", \
	  "Questo fuso orario non esiste. Si scrive come `Europe/Rome` o `+02:00`.")
/* clang-format on */

SHOAL_PHRASES_DECLARE(remind_phrases, REMIND_PHRASES);
#define PHRASE(id) (&remind_phrases.id)

#endif
