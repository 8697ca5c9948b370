/* What Discord's refusals mean to a member. One row each: Discord's code, English, German, Spanish, Italian; and a row
 * for each status where no code says more. Source: discord-facts.md section 11. */
#ifndef SHOAL_SHARED_PHRASES_DISCORD_H
#define SHOAL_SHARED_PHRASES_DISCORD_H

/* clang-format off */
#define DISCORD_CODE_PHRASES(C) \
	C(10003, \
	  "That channel does not exist any more.", \
	  "Diesen Kanal gibt es nicht mehr.", \
	  "Ese canal ya no existe.", \
	  "Quel canale non esiste più.") \
	C(10004, \
	  "I am not in that server.", \
	  "Auf diesem Server bin ich nicht.", \
	  "No estoy en ese servidor.", \
	  "Non sono in quel server.") \
	C(10007, \
	  "That member is not in this server.", \
	  "Dieses Mitglied ist nicht auf diesem Server.", \
	  "Ese miembro no está en este servidor.", \
	  "Quel membro non è in questo server.") \
	C(10008, \
	  "That message does not exist any more.", \
	  "Diese Nachricht gibt es nicht mehr.", \
	  "Ese mensaje ya no existe.", \
	  "Quel messaggio non esiste più.") \
	C(10011, \
	  "That role does not exist any more.", \
	  "Diese Rolle gibt es nicht mehr.", \
	  "Ese rol ya no existe.", \
	  "Quel ruolo non esiste più.") \
	C(10013, \
	  "I can't find that user.", \
	  "Diesen Nutzer finde ich nicht.", \
	  "No encuentro a ese usuario.", \
	  "Non trovo quell'utente.") \
	C(10014, \
	  "I can't use that emoji.", \
	  "Dieses Emoji kann ich nicht benutzen.", \
	  "No puedo usar ese emoji.", \
	  "Non posso usare quell'emoji.") \
	C(10015, \
	  "That webhook does not exist any more.", \
	  "Diesen Webhook gibt es nicht mehr.", \
	  "Ese webhook ya no existe.", \
	  "Quel webhook non esiste più.") \
	C(10026, \
	  "That user is not banned.", \
	  "Dieser Nutzer ist nicht gebannt.", \
	  "Ese usuario no está baneado.", \
	  "Quell'utente non è bannato.") \
	C(10062, \
	  "That took too long; please try again.", \
	  "Das hat zu lange gedauert; bitte versuche es noch einmal.", \
	  "Tardó demasiado; inténtalo de nuevo.", \
	  "Ci è voluto troppo tempo; riprova.") \
	C(10063, \
	  "That command does not exist any more.", \
	  "Diesen Befehl gibt es nicht mehr.", \
	  "Ese comando ya no existe.", \
	  "Quel comando non esiste più.") \
	C(20016, \
	  "Slow mode is on in this channel; please try again in a moment.", \
	  "In diesem Kanal gilt der Slowmode; bitte versuche es gleich noch einmal.", \
	  "Este canal está en modo lento; inténtalo de nuevo en un momento.", \
	  "In questo canale è attiva la modalità lenta; riprova tra poco.") \
	C(20022, \
	  "This announcement can't be edited again so soon.", \
	  "Diese Ankündigung kann so bald nicht wieder bearbeitet werden.", \
	  "Este anuncio no se puede editar otra vez tan pronto.", \
	  "Questo annuncio non si può modificare di nuovo così presto.") \
	C(20028, \
	  "This channel is being written to too fast; please try again in a moment.", \
	  "In diesen Kanal wird zu schnell geschrieben; bitte versuche es gleich noch einmal.", \
	  "Se está escribiendo demasiado rápido en este canal; inténtalo de nuevo en un momento.", \
	  "Si sta scrivendo troppo in fretta in questo canale; riprova tra poco.") \
	C(20029, \
	  "This server is being written to too fast; please try again in a moment.", \
	  "Auf diesem Server wird zu schnell geschrieben; bitte versuche es gleich noch einmal.", \
	  "Se está escribiendo demasiado rápido en este servidor; inténtalo de nuevo en un momento.", \
	  "Si sta scrivendo troppo in fretta in questo server; riprova tra poco.") \
	C(30003, \
	  "This channel has no room for more pinned messages.", \
	  "In diesem Kanal ist kein Platz für weitere angepinnte Nachrichten.", \
	  "Este canal no admite más mensajes fijados.", \
	  "In questo canale non c'è posto per altri messaggi fissati.") \
	C(30005, \
	  "This server has as many roles as Discord allows.", \
	  "Dieser Server hat so viele Rollen, wie Discord erlaubt.", \
	  "Este servidor ya tiene todos los roles que Discord permite.", \
	  "Questo server ha già tutti i ruoli che Discord consente.") \
	C(30007, \
	  "This channel has as many webhooks as Discord allows.", \
	  "Dieser Kanal hat so viele Webhooks, wie Discord erlaubt.", \
	  "Este canal ya tiene todos los webhooks que Discord permite.", \
	  "Questo canale ha già tutti i webhook che Discord consente.") \
	C(30010, \
	  "This message has as many reactions as Discord allows.", \
	  "Diese Nachricht hat so viele Reaktionen, wie Discord erlaubt.", \
	  "Este mensaje ya tiene todas las reacciones que Discord permite.", \
	  "Questo messaggio ha già tutte le reazioni che Discord consente.") \
	C(30013, \
	  "This server has as many channels as Discord allows.", \
	  "Dieser Server hat so viele Kanäle, wie Discord erlaubt.", \
	  "Este servidor ya tiene todos los canales que Discord permite.", \
	  "Questo server ha già tutti i canali che Discord consente.") \
	C(30034, \
	  "Too many commands were registered today; please try again tomorrow.", \
	  "Heute wurden zu viele Befehle angemeldet; bitte versuche es morgen.", \
	  "Hoy se registraron demasiados comandos; inténtalo mañana.", \
	  "Oggi sono stati registrati troppi comandi; riprova domani.") \
	C(30046, \
	  "Messages older than an hour can't be edited that often; please try again later.", \
	  "Nachrichten, die älter als eine Stunde sind, können nicht so oft bearbeitet werden; bitte versuche es später.", \
	  "Los mensajes de hace más de una hora no se pueden editar tan a menudo; inténtalo más tarde.", \
	  "I messaggi più vecchi di un'ora non si possono modificare così spesso; riprova più tardi.") \
	C(30060, \
	  "This channel has as many permission rules as Discord allows.", \
	  "Dieser Kanal hat so viele Berechtigungsregeln, wie Discord erlaubt.", \
	  "Este canal ya tiene todas las reglas de permisos que Discord permite.", \
	  "Questo canale ha già tutte le regole di permesso che Discord consente.") \
	C(40003, \
	  "Direct messages are being opened too fast; please try again later.", \
	  "Direktnachrichten werden zu schnell geöffnet; bitte versuche es später.", \
	  "Se están abriendo mensajes directos demasiado rápido; inténtalo más tarde.", \
	  "Si stanno aprendo messaggi diretti troppo in fretta; riprova più tardi.") \
	C(40005, \
	  "That is too large for Discord.", \
	  "Das ist Discord zu groß.", \
	  "Es demasiado grande para Discord.", \
	  "È troppo grande per Discord.") \
	C(40060, \
	  "That was answered already.", \
	  "Das wurde schon beantwortet.", \
	  "Eso ya fue respondido.", \
	  "Ha già avuto risposta.") \
	C(40062, \
	  "Discord is busy; please try again in a moment.", \
	  "Discord ist überlastet; bitte versuche es gleich noch einmal.", \
	  "Discord está ocupado; inténtalo de nuevo en un momento.", \
	  "Discord è occupato; riprova tra poco.") \
	C(40094, \
	  "Discord allows no more answers here.", \
	  "Mehr Antworten erlaubt Discord hier nicht.", \
	  "Discord no permite más respuestas aquí.", \
	  "Discord non consente altre risposte qui.") \
	C(50001, \
	  "I can't see that channel.", \
	  "Diesen Kanal kann ich nicht sehen.", \
	  "No puedo ver ese canal.", \
	  "Non posso vedere quel canale.") \
	C(50003, \
	  "That does not work in direct messages.", \
	  "Das geht in Direktnachrichten nicht.", \
	  "Eso no funciona en mensajes directos.", \
	  "Non funziona nei messaggi diretti.") \
	C(50005, \
	  "I can only edit my own messages.", \
	  "Ich kann nur meine eigenen Nachrichten bearbeiten.", \
	  "Solo puedo editar mis propios mensajes.", \
	  "Posso modificare solo i miei messaggi.") \
	C(50006, \
	  "There is nothing to send.", \
	  "Es gibt nichts zu senden.", \
	  "No hay nada que enviar.", \
	  "Non c'è nulla da inviare.") \
	C(50007, \
	  "That user does not accept direct messages.", \
	  "Dieser Nutzer nimmt keine Direktnachrichten an.", \
	  "Ese usuario no acepta mensajes directos.", \
	  "Quell'utente non accetta messaggi diretti.") \
	C(50008, \
	  "That does not work in this kind of channel.", \
	  "Das geht in dieser Art von Kanal nicht.", \
	  "Eso no funciona en este tipo de canal.", \
	  "Non funziona in questo tipo di canale.") \
	C(50013, \
	  "I lack a permission for that, or that member ranks above me.", \
	  "Mir fehlt dafür eine Berechtigung, oder dieses Mitglied steht über mir.", \
	  "Me falta un permiso para eso, o ese miembro está por encima de mí.", \
	  "Mi manca un permesso, o quel membro è sopra di me.") \
	C(50016, \
	  "That many messages can't be deleted at once.", \
	  "So viele Nachrichten können nicht auf einmal gelöscht werden.", \
	  "No se pueden borrar tantos mensajes a la vez.", \
	  "Non si possono eliminare così tanti messaggi insieme.") \
	C(50021, \
	  "That does not work on a system message.", \
	  "Das geht bei einer Systemnachricht nicht.", \
	  "Eso no funciona con un mensaje del sistema.", \
	  "Non funziona con un messaggio di sistema.") \
	C(50024, \
	  "That does not work in this kind of channel.", \
	  "Das geht in dieser Art von Kanal nicht.", \
	  "Eso no funciona en este tipo de canal.", \
	  "Non funziona in questo tipo di canale.") \
	C(50027, \
	  "That took too long; please try again.", \
	  "Das hat zu lange gedauert; bitte versuche es noch einmal.", \
	  "Tardó demasiado; inténtalo de nuevo.", \
	  "Ci è voluto troppo tempo; riprova.") \
	C(50034, \
	  "Messages older than two weeks can't be deleted together.", \
	  "Nachrichten, die älter als zwei Wochen sind, können nicht zusammen gelöscht werden.", \
	  "Los mensajes de hace más de dos semanas no se pueden borrar juntos.", \
	  "I messaggi più vecchi di due settimane non si possono eliminare insieme.") \
	C(50035, \
	  "Discord did not accept what I tried to send.", \
	  "Discord hat nicht angenommen, was ich senden wollte.", \
	  "Discord no aceptó lo que intenté enviar.", \
	  "Discord non ha accettato ciò che volevo inviare.") \
	C(50083, \
	  "This thread is archived.", \
	  "Dieser Thread ist archiviert.", \
	  "Este hilo está archivado.", \
	  "Questo thread è archiviato.") \
	C(50278, \
	  "I share no server with that user.", \
	  "Mit diesem Nutzer teile ich keinen Server.", \
	  "No comparto ningún servidor con ese usuario.", \
	  "Non condivido alcun server con quell'utente.") \
	C(60003, \
	  "This server demands two-factor authentication of my owner for that.", \
	  "Dafür verlangt dieser Server von meinem Besitzer Zwei-Faktor-Authentifizierung.", \
	  "Para eso, este servidor exige a mi dueño la autenticación en dos pasos.", \
	  "Per questo il server richiede al mio proprietario l'autenticazione a due fattori.") \
	C(90001, \
	  "That member has blocked my reactions.", \
	  "Dieses Mitglied hat meine Reaktionen blockiert.", \
	  "Ese miembro ha bloqueado mis reacciones.", \
	  "Quel membro ha bloccato le mie reazioni.") \
	C(110000, \
	  "Discord is still indexing this server; please try again later.", \
	  "Discord durchsucht diesen Server noch; bitte versuche es später.", \
	  "Discord aún está indexando este servidor; inténtalo más tarde.", \
	  "Discord sta ancora indicizzando questo server; riprova più tardi.") \
	C(130000, \
	  "Discord is overloaded; please try again in a moment.", \
	  "Discord ist überlastet; bitte versuche es gleich noch einmal.", \
	  "Discord está sobrecargado; inténtalo de nuevo en un momento.", \
	  "Discord è sovraccarico; riprova tra poco.") \
	C(160002, \
	  "I can't reply there: I may not read the channel's history.", \
	  "Dort kann ich nicht antworten: Ich darf den Verlauf des Kanals nicht lesen.", \
	  "No puedo responder allí: no puedo leer el historial del canal.", \
	  "Non posso rispondere lì: non posso leggere la cronologia del canale.") \
	C(160005, \
	  "This thread is locked.", \
	  "Dieser Thread ist gesperrt.", \
	  "Este hilo está bloqueado.", \
	  "Questo thread è bloccato.") \
	C(200000, \
	  "The server's AutoMod blocked that.", \
	  "Die AutoMod des Servers hat das blockiert.", \
	  "El AutoMod del servidor lo bloqueó.", \
	  "L'AutoMod del server lo ha bloccato.") \
	C(200001, \
	  "The server's AutoMod blocked that.", \
	  "Die AutoMod des Servers hat das blockiert.", \
	  "El AutoMod del servidor lo bloqueó.", \
	  "L'AutoMod del server lo ha bloccato.") \
	C(240000, \
	  "Discord considers a link in that harmful.", \
	  "Discord hält einen Link darin für schädlich.", \
	  "Discord considera dañino un enlace de ese texto.", \
	  "Discord considera dannoso un link in quel testo.") \
	C(500000, \
	  "None of these users could be banned.", \
	  "Keiner dieser Nutzer konnte gebannt werden.", \
	  "No se pudo banear a ninguno de esos usuarios.", \
	  "Non è stato possibile bannare nessuno di quegli utenti.") \
	C(520001, \
	  "That poll is over.", \
	  "Diese Umfrage ist beendet.", \
	  "Esa encuesta ha terminado.", \
	  "Quel sondaggio è finito.")

#define DISCORD_PHRASES(P) \
	P(DISCORD_400, \
	  "Discord did not accept what I tried to send.", \
	  "Discord hat nicht angenommen, was ich senden wollte.", \
	  "Discord no aceptó lo que intenté enviar.", \
	  "Discord non ha accettato ciò che volevo inviare.") \
	P(DISCORD_401, \
	  "Discord does not let me in at the moment; my owner has been told.", \
	  "Discord lässt mich gerade nicht herein; mein Besitzer weiß es.", \
	  "Discord no me deja entrar en este momento; mi dueño ya lo sabe.", \
	  "Discord non mi lascia entrare in questo momento; il mio proprietario è stato avvisato.") \
	P(DISCORD_403, \
	  "I lack a permission for that.", \
	  "Mir fehlt dafür eine Berechtigung.", \
	  "Me falta un permiso para eso.", \
	  "Mi manca un permesso per questo.") \
	P(DISCORD_404, \
	  "That does not exist any more.", \
	  "Das gibt es nicht mehr.", \
	  "Eso ya no existe.", \
	  "Non esiste più.") \
	P(DISCORD_429, \
	  "Discord asks me to slow down; please try again in a moment.", \
	  "Discord bittet mich, langsamer zu machen; bitte versuche es gleich noch einmal.", \
	  "Discord me pide ir más despacio; inténtalo de nuevo en un momento.", \
	  "Discord mi chiede di rallentare; riprova tra poco.") \
	P(DISCORD_500, \
	  "Discord has trouble at the moment; please try again.", \
	  "Discord hat gerade Schwierigkeiten; bitte versuche es noch einmal.", \
	  "Discord tiene problemas en este momento; inténtalo de nuevo.", \
	  "Discord ha problemi in questo momento; riprova.") \
	P(DISCORD_UNREACHABLE, \
	  "Discord can't be reached at the moment; please try again.", \
	  "Discord ist gerade nicht erreichbar; bitte versuche es noch einmal.", \
	  "No se puede contactar con Discord en este momento; inténtalo de nuevo.", \
	  "Discord non è raggiungibile in questo momento; riprova.") \
	P(DISCORD_INCIDENT, \
	  "{why} That should not happen. It is noted as incident {incident}; please tell my operator.", \
	  "{why} Das sollte nicht passieren. Es ist als Vorfall {incident} notiert; bitte sag es meinem Betreiber.", \
	  "{why} No debería pasar. Queda anotado como incidente {incident}; avisa a mi operador, por favor.", \
	  "{why} Non dovrebbe succedere. È annotato come incidente {incident}; avvisa il mio gestore, per favore.")
/* clang-format on */

#endif
