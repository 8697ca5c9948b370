/* What this module says, one row each: id, English, German, Spanish, Italian. */
#ifndef SHOAL_MODULES_UTILITY_PHRASES_H
#define SHOAL_MODULES_UTILITY_PHRASES_H

#include <shoal/phrase.h>

/* clang-format off */
#define UTILITY_PHRASES(P) \
	/* names of lines */ \
	P(USERNAME, "Username", "Benutzername", "Nombre de usuario", "Nome utente") \
	P(ID, "ID", "ID", "ID", "ID") \
	P(CREATED, "Created", "Erstellt", "Creación", "Creazione") \
	P(JOINED, "Joined this server", "Beigetreten", "Se unió al servidor", "Entrato nel server") \
	P(BOOSTING, "Boosting since", "Boostet seit", "Mejora desde", "Potenzia dal") \
	P(TIMED_OUT, "Timed out until", "Im Timeout bis", "Aislado hasta", "In timeout fino al") \
	P(ROLES, "Roles", "Rollen", "Roles", "Ruoli") \
	P(BADGES, "Badges", "Abzeichen", "Insignias", "Distintivi") \
	P(KEY_PERMISSIONS, "Key permissions", "Wichtige Berechtigungen", "Permisos clave", "Permessi principali") \
	P(PERMISSIONS, "Permissions", "Berechtigungen", "Permisos", "Permessi") \
	P(OWNER, "Owner", "Besitzer", "Propietario", "Proprietario") \
	P(MEMBERS, "Members", "Mitglieder", "Miembros", "Membri") \
	P(CHANNELS, "Channels", "Kanäle", "Canales", "Canali") \
	P(BOOSTS, "Boosts", "Boosts", "Mejoras", "Potenziamenti") \
	P(EMOJIS, "Emojis and stickers", "Emojis und Sticker", "Emojis y stickers", "Emoji e adesivi") \
	P(VERIFICATION, "Verification", "Verifizierung", "Verificación", "Verifica") \
	P(FEATURES, "Features", "Eigenschaften", "Características", "Caratteristiche") \
	P(COLOR, "Colour", "Farbe", "Color", "Colore") \
	P(POSITION, "Position", "Position", "Posición", "Posizione") \
	P(TRAITS, "Properties", "Merkmale", "Propiedades", "Proprietà") \
	P(KIND, "Type", "Art", "Tipo", "Tipo") \
	P(CATEGORY, "Category", "Kategorie", "Categoría", "Categoria") \
	P(PARENT, "In channel", "Im Kanal", "En el canal", "Nel canale") \
	P(SLOWMODE, "Slow mode", "Slowmode", "Modo lento", "Modalità lenta") \
	P(TOPIC, "Topic", "Thema", "Tema", "Argomento") \
	P(VERSION, "Version", "Version", "Versión", "Versione") \
	P(SERVERS, "Servers", "Server", "Servidores", "Server") \
	P(RUNNING, "Running since", "Läuft seit", "En marcha desde", "In esecuzione dal") \
	P(LATENCY, "Reaction time", "Reaktionszeit", "Tiempo de respuesta", "Tempo di risposta") \
	P(SHARDS, "Shards", "Shards", "Shards", "Shard") \
	P(STORAGE, "Storage", "Speicher", "Almacenamiento", "Archivio") \
	P(MODULES, "Modules", "Module", "Módulos", "Moduli") \
	/* values */ \
	P(OF_THESE_ONLINE, "{count} (about {online} online)", "{count} (etwa {online} online)", \
	  "{count} (unos {online} en línea)", "{count} (circa {online} online)") \
	P(CHANNEL_COUNTS, "{text} text, {voice} voice, {forum} forum, {threads} active threads; categories: {categories}", \
	  "{text} Text, {voice} Sprache, {forum} Forum, {threads} aktive Threads; Kategorien: {categories}", \
	  "{text} de texto, {voice} de voz, {forum} foros, {threads} hilos activos; categorías: {categories}", \
	  "{text} testuali, {voice} vocali, {forum} forum, {threads} thread attivi; categorie: {categories}") \
	P(BOOST_LEVEL, "{count} (level {level})", "{count} (Stufe {level})", "{count} (nivel {level})", "{count} (livello {level})") \
	P(EMOJI_COUNTS, "{emojis} emojis, {stickers} stickers", "{emojis} Emojis, {stickers} Sticker", \
	  "{emojis} emojis, {stickers} stickers", "{emojis} emoji, {stickers} adesivi") \
	P(VERIFY_0, "None", "Keine", "Ninguna", "Nessuna") \
	P(VERIFY_1, "Low: a verified e-mail address", "Niedrig: bestätigte E-Mail-Adresse", "Baja: correo verificado", \
	  "Bassa: e-mail verificata") \
	P(VERIFY_2, "Medium: registered for 5 minutes", "Mittel: seit 5 Minuten registriert", \
	  "Media: registrado hace 5 minutos", "Media: registrato da 5 minuti") \
	P(VERIFY_3, "High: a member for 10 minutes", "Hoch: seit 10 Minuten Mitglied", "Alta: miembro desde hace 10 minutos", \
	  "Alta: membro da 10 minuti") \
	P(VERIFY_4, "Highest: a verified phone", "Höchste: bestätigte Telefonnummer", "Máxima: teléfono verificado", \
	  "Massima: telefono verificato") \
	P(RANK_OF, "{rank} of {count}", "{rank} von {count}", "{rank} de {count}", "{rank} di {count}") \
	P(ROLE_HOISTED, "shown apart", "einzeln angezeigt", "se muestra aparte", "mostrato a parte") \
	P(ROLE_MENTIONABLE, "can be mentioned", "erwähnbar", "se puede mencionar", "menzionabile") \
	P(ROLE_MANAGED, "managed by an integration", "von einer Integration verwaltet", "gestionado por una integración", \
	  "gestito da un'integrazione") \
	P(NSFW, "age-restricted", "altersbeschränkt", "con restricción de edad", "con limiti di età") \
	P(ARCHIVED, "archived", "archiviert", "archivado", "archiviato") \
	P(LOCKED, "locked", "gesperrt", "bloqueado", "bloccato") \
	P(NONE, "none", "keine", "ninguno", "nessuno") \
	P(EVERYTHING, "Administrator: everything", "Administrator: alles", "Administrador: todo", "Amministratore: tutto") \
	P(AND_MORE, "and {count} more", "und {count} weitere", "y {count} más", "e altri {count}") \
	P(SECONDS, "{count} s", "{count} s", "{count} s", "{count} s") \
	P(TYPE_TEXT, "Text channel", "Textkanal", "Canal de texto", "Canale testuale") \
	P(TYPE_VOICE, "Voice channel", "Sprachkanal", "Canal de voz", "Canale vocale") \
	P(TYPE_CATEGORY, "Category", "Kategorie", "Categoría", "Categoria") \
	P(TYPE_NEWS, "Announcement channel", "Ankündigungskanal", "Canal de anuncios", "Canale annunci") \
	P(TYPE_THREAD, "Thread", "Thread", "Hilo", "Thread") \
	P(TYPE_PRIVATE_THREAD, "Private thread", "Privater Thread", "Hilo privado", "Thread privato") \
	P(TYPE_STAGE, "Stage channel", "Stage-Kanal", "Canal de escenario", "Canale Stage") \
	P(TYPE_FORUM, "Forum", "Forum", "Foro", "Forum") \
	P(TYPE_MEDIA, "Media channel", "Medienkanal", "Canal multimedia", "Canale multimediale") \
	P(TYPE_OTHER, "A kind that I don't know", "Eine Art, die ich nicht kenne", "Un tipo que no conozco", \
	  "Un tipo che non conosco") \
	P(BOT, "bot", "Bot", "bot", "bot") \
	P(NO_MEMBER, "Not a member of this server.", "Kein Mitglied dieses Servers.", "No es miembro de este servidor.", \
	  "Non è membro di questo server.") \
	P(AVATAR_TITLE, "Avatar of {user}", "Avatar von {user}", "Avatar de {user}", "Avatar di {user}") \
	P(AVATAR_LINKS, "In full size: {links}", "In voller Größe: {links}", "A tamaño completo: {links}", \
	  "A grandezza piena: {links}") \
	P(SERVER_PARTIAL, "Discord did not answer just now: some lines are missing.", \
	  "Discord hat gerade nicht geantwortet: Es fehlen Zeilen.", "Discord no respondió ahora: faltan líneas.", \
	  "Discord non ha risposto ora: mancano delle righe.") \
	/* badges of users and features of servers, as Discord's interface has them */ \
	P(BADGE_STAFF, "Discord Staff", "Discord-Team", "Personal de Discord", "Staff di Discord") \
	P(BADGE_PARTNER, "Partner", "Partner", "Socio", "Partner") \
	P(BADGE_EVENTS, "HypeSquad Events", "HypeSquad Events", "HypeSquad Events", "HypeSquad Events") \
	P(BADGE_HUNTER, "Bug Hunter", "Bug Hunter", "Cazador de bugs", "Cacciatore di bug") \
	P(BADGE_BRAVERY, "HypeSquad Bravery", "HypeSquad Bravery", "HypeSquad Bravery", "HypeSquad Bravery") \
	P(BADGE_BRILLIANCE, "HypeSquad Brilliance", "HypeSquad Brilliance", "HypeSquad Brilliance", "HypeSquad Brilliance") \
	P(BADGE_BALANCE, "HypeSquad Balance", "HypeSquad Balance", "HypeSquad Balance", "HypeSquad Balance") \
	P(BADGE_SUPPORTER, "Early Supporter", "Früher Unterstützer", "Partidario inicial", "Primo sostenitore") \
	P(BADGE_HUNTER_GOLD, "Bug Hunter (gold)", "Bug Hunter (Gold)", "Cazador de bugs (oro)", "Cacciatore di bug (oro)") \
	P(BADGE_VERIFIED, "Verified Bot", "Verifizierter Bot", "Bot verificado", "Bot verificato") \
	P(BADGE_DEVELOPER_EARLY, "Early Verified Bot Developer", "Früher verifizierter Bot-Entwickler", "Desarrollador de bots verificado inicial", "Primo sviluppatore di bot verificato") \
	P(BADGE_MODERATORS, "Moderator Programs", "Moderatorenprogramme", "Programas de moderadores", "Programmi per moderatori") \
	P(BADGE_DEVELOPER, "Active Developer", "Aktiver Entwickler", "Desarrollador activo", "Sviluppatore attivo") \
	P(FEATURE_VERIFIED, "Verified", "Verifiziert", "Verificado", "Verificato") \
	P(FEATURE_PARTNERED, "Partner", "Partner", "Socio", "Partner") \
	P(FEATURE_COMMUNITY, "Community", "Community", "Comunidad", "Community") \
	P(FEATURE_DISCOVERABLE, "Discoverable", "Öffentlich auffindbar", "En Descubrir", "In Esplora") \
	P(FEATURE_AUTO_MODERATION, "AutoMod", "AutoMod", "AutoMod", "AutoMod") \
	P(FEATURE_WELCOME_SCREEN_ENABLED, "Welcome screen", "Willkommensbildschirm", "Pantalla de bienvenida", "Schermata di benvenuto") \
	P(FEATURE_VANITY_URL, "Vanity address", "Eigene Adresse", "Dirección personalizada", "Indirizzo personalizzato") \
	P(FEATURE_INVITES_DISABLED, "Invites paused", "Einladungen pausiert", "Invitaciones en pausa", "Inviti in pausa") \
	P(FEATURE_MEMBER_VERIFICATION_GATE_ENABLED, "Membership screening", "Beitrittsprüfung", "Verificación de miembros", "Verifica dei membri") \
	/* what goes wrong */ \
	P(USER_UNKNOWN, "There is no such user (any more).", "Diesen Benutzer gibt es nicht (mehr).", \
	  "Ese usuario no existe (ya no).", "Questo utente non esiste (più).") \
	P(ROLE_UNKNOWN, "There is no such role in this server (any more).", "Diese Rolle gibt es auf dem Server nicht (mehr).", \
	  "Ese rol no existe en este servidor (ya no).", "Questo ruolo non esiste (più) in questo server.") \
	P(CHANNEL_UNKNOWN, "There is no such channel here (any more), or you can't see it.", \
	  "Diesen Kanal gibt es hier nicht (mehr), oder du siehst ihn nicht.", \
	  "Ese canal no existe aquí (ya no), o no puedes verlo.", "Questo canale non esiste (più) qui, o non puoi vederlo.") \
	P(DISCORD_SILENT, "Discord did not tell me. Please try again in a moment.", \
	  "Discord hat es mir nicht gesagt. Bitte versuche es gleich noch einmal.", \
	  "Discord no me lo dijo. Inténtalo de nuevo en un momento.", "Discord non me l'ha detto. Riprova tra poco.") \
	/* about and status */ \
	P(ABOUT, "I am **{name}**, and I run on *shoal*: made so that no command is lost, also while I am restarted, updated " \
	  "or moved. `/help` shows what I can do.", \
	  "Ich bin **{name}** und laufe auf *shoal*: gebaut, damit kein Befehl verloren geht, auch nicht bei Neustart, Update " \
	  "oder Umzug. `/help` zeigt, was ich kann.", \
	  "Soy **{name}** y funciono con *shoal*: hecho para que ningún comando se pierda, tampoco al reiniciarme, " \
	  "actualizarme o moverme. `/help` muestra lo que sé hacer.", \
	  "Sono **{name}** e funziono con *shoal*: fatto perché nessun comando vada perso, neanche durante un riavvio, un " \
	  "aggiornamento o uno spostamento. `/help` mostra che cosa so fare.") \
	P(STATUS_TITLE, "How I am", "Wie es mir geht", "Cómo estoy", "Come sto") \
	P(STATUS_WELL, "Everything works.", "Alles läuft.", "Todo funciona.", "Funziona tutto.") \
	P(STATUS_DEGRADED, "I work, with limits:", "Ich laufe, mit Einschränkungen:", "Funciono, con límites:", \
	  "Funziono, con dei limiti:") \
	P(STATUS_DATABASE_AWAY, "My storage is away. What you change is kept safely and written later; some answers have to wait.", \
	  "Mein Speicher ist gerade nicht erreichbar. Was du änderst, wird sicher aufgehoben und später geschrieben; manche Antworten müssen warten.", \
	  "Mi almacenamiento no está disponible. Lo que cambies se guarda y se escribirá después; algunas respuestas deben esperar.", \
	  "Il mio archivio non è disponibile. Ciò che cambi è conservato e scritto dopo; alcune risposte devono attendere.") \
	P(STATUS_WRITES_WAIT, "{count} changes wait to be written; they are kept safely.", \
	  "{count} Änderungen warten darauf, geschrieben zu werden; sie sind sicher aufgehoben.", \
	  "{count} cambios esperan a ser escritos; están guardados.", "{count} modifiche attendono di essere scritte; sono al sicuro.") \
	P(STATUS_BUS_AWAY, "My parts can't talk to each other just now: what concerns several servers at once is not there.", \
	  "Meine Teile können gerade nicht miteinander reden: Was mehrere Server zugleich betrifft, geht nicht.", \
	  "Mis partes no pueden hablarse ahora: no funciona lo que afecta a varios servidores a la vez.", \
	  "Le mie parti ora non possono parlarsi: manca ciò che riguarda più server insieme.") \
	P(STATUS_SUPERVISOR_AWAY, "I can't ask how my other parts are; here, all goes on.", \
	  "Ich kann meine anderen Teile nicht fragen, wie es ihnen geht; hier geht alles weiter.", \
	  "No puedo preguntar cómo están mis otras partes; aquí todo sigue.", \
	  "Non posso chiedere come stanno le altre mie parti; qui tutto continua.") \
	P(STATUS_NOT_READY, "{count} of my {all} shards are not ready: {names}. Servers on them wait.", \
	  "{count} von meinen {all} Shards sind nicht bereit: {names}. Server darauf warten.", \
	  "{count} de mis {all} shards no están listos: {names}. Los servidores en ellos esperan.", \
	  "{count} dei miei {all} shard non sono pronti: {names}. I server lì attendono.") \
	P(STATUS_GUILDS_OUT, "{count} servers of this shard are in an outage of Discord's.", \
	  "{count} Server dieses Shards haben einen Ausfall bei Discord.", \
	  "{count} servidores de este shard tienen una caída de Discord.", \
	  "{count} server di questo shard hanno un'interruzione di Discord.") \
	P(STATUS_GUILDS_MISSING, "I am still learning about {count} servers.", "Ich lerne noch {count} Server kennen.", \
	  "Todavía estoy conociendo {count} servidores.", "Sto ancora conoscendo {count} server.") \
	P(STATUS_MODULES_OFF, "{count} of my modules are switched off for now, because they did not work properly.", \
	  "{count} meiner Module sind vorläufig abgeschaltet, weil sie nicht richtig funktioniert haben.", \
	  "{count} de mis módulos están desactivados por ahora porque no funcionaban bien.", \
	  "{count} dei miei moduli sono per ora disattivati perché non funzionavano bene.") \
	P(STATUS_BEHIND, "I have a lot to do: {count} events wait.", "Ich habe viel zu tun: {count} Ereignisse warten.", \
	  "Tengo mucho que hacer: {count} eventos esperan.", "Ho molto da fare: {count} eventi attendono.") \
	P(STATUS_READY, "{ready} of {all} ready; you are on {here}", "{ready} von {all} bereit; du bist auf {here}", \
	  "{ready} de {all} listos; estás en el {here}", "{ready} di {all} pronti; sei su {here}") \
	P(STATUS_HERE, "you are on {here} of {all}", "du bist auf {here} von {all}", "estás en el {here} de {all}", \
	  "sei su {here} di {all}") \
	P(STORAGE_OFF, "none: nothing can be set or remembered", "keiner: nichts kann gesetzt oder gemerkt werden", \
	  "ninguno: no se puede guardar nada", "nessuno: non si può salvare nulla") \
	P(STORAGE_UP, "there", "da", "disponible", "disponibile") \
	P(STORAGE_AWAY, "away for now", "gerade nicht erreichbar", "no disponible por ahora", "non disponibile per ora") \
	/* polls */ \
	P(POLL_ENDS, "Ends <t:{time}:R>", "Endet <t:{time}:R>", "Termina <t:{time}:R>", "Termina <t:{time}:R>") \
	P(POLL_ENDED_AT, "Ended <t:{time}:R>", "Beendet <t:{time}:R>", "Terminó <t:{time}:R>", "Terminato <t:{time}:R>") \
	P(POLL_VOTER, "{count} vote", "{count} Stimme", "{count} voto", "{count} voto") \
	P(POLL_VOTERS, "{count} voters", "{count} Stimmen", "{count} votantes", "{count} votanti") \
	P(POLL_ONE, "one answer each", "eine Antwort", "una respuesta", "una risposta") \
	P(POLL_SEVERAL, "several answers", "mehrere Antworten", "varias respuestas", "più risposte") \
	P(POLL_SECRET, "anonymous", "anonym", "anónima", "anonimo") \
	P(POLL_PUBLIC, "not anonymous", "nicht anonym", "no anónima", "non anonimo") \
	P(POLL_CHOOSE, "Choose one or more; none takes your vote back", "Wähle; keine nimmt deine Stimme zurück", \
	  "Elige; ninguna retira tu voto", "Scegli; nessuna ritira il tuo voto") \
	P(POLL_YOURS, "Your vote", "Deine Stimme", "Tu voto", "Il tuo voto") \
	P(POLL_NO_VOTES, "Nobody voted.", "Niemand hat abgestimmt.", "Nadie votó.", "Nessuno ha votato.") \
	P(POLL_WINNER, "{answers} with {count}", "{answers} mit {count}", "{answers} con {count}", "{answers} con {count}") \
	P(POLL_TIE, "a tie of {answers} with {count} each", "Gleichstand von {answers} mit je {count}", \
	  "un empate de {answers} con {count} cada una", "parità tra {answers} con {count} ciascuna") \
	P(POLL_RESULT, "📊 The poll is over: {question}\n{result}", "📊 Die Umfrage ist zu Ende: {question}\n{result}", \
	  "📊 La encuesta ha terminado: {question}\n{result}", "📊 Il sondaggio è finito: {question}\n{result}") \
	P(POLL_POSTED, "Your poll is there, and ends by itself. `/poll end` ends it before.", \
	  "Deine Umfrage ist da und endet von selbst. `/poll end` beendet sie vorher.", \
	  "Tu encuesta está ahí y termina sola. `/poll end` la termina antes.", \
	  "Il tuo sondaggio è lì e finisce da solo. `/poll end` lo chiude prima.") \
	P(POLL_POSTED_ONLY, "Your poll is there. I can't announce its end by myself just now: please use `/poll end` then.", \
	  "Deine Umfrage ist da. Ihr Ende kann ich gerade nicht selbst ansagen: Bitte nutze dann `/poll end`.", \
	  "Tu encuesta está ahí. Ahora no puedo anunciar su final por mí mismo: usa entonces `/poll end`.", \
	  "Il tuo sondaggio è lì. Ora non posso annunciarne la fine da solo: usa allora `/poll end`.") \
	P(POLL_BARRED, "I may not post a poll here: I need the permission *{permission}*.", \
	  "Ich darf hier keine Umfrage stellen: Ich brauche die Berechtigung *{permission}*.", \
	  "No puedo poner una encuesta aquí: necesito el permiso *{permission}*.", \
	  "Non posso pubblicare un sondaggio qui: mi serve il permesso *{permission}*.") \
	P(POLL_FEW_ANSWERS, "A poll has two to ten answers, with `|` between them: `Pizza | Pasta | Salad`.", \
	  "Eine Umfrage hat zwei bis zehn Antworten, mit `|` dazwischen: `Pizza | Pasta | Salat`.", \
	  "Una encuesta tiene de dos a diez respuestas, separadas por `|`: `Pizza | Pasta | Ensalada`.", \
	  "Un sondaggio ha da due a dieci risposte, separate da `|`: `Pizza | Pasta | Insalata`.") \
	P(POLL_SAME_ANSWERS, "Two of the answers are the same.", "Zwei der Antworten sind gleich.", \
	  "Dos de las respuestas son iguales.", "Due delle risposte sono uguali.") \
	P(POLL_LONG_ANSWER, "An answer has at most 80 characters.", "Eine Antwort hat höchstens 80 Zeichen.", \
	  "Una respuesta tiene como máximo 80 caracteres.", "Una risposta ha al massimo 80 caratteri.") \
	P(POLL_BAD_END, "I need to know when it ends: `90m`, `2d`, `tomorrow 18:00`; from ten seconds to 60 days.", \
	  "Ich muss wissen, wann sie endet: `90m`, `2d`, `morgen 18:00`; von zehn Sekunden bis 60 Tagen.", \
	  "Necesito saber cuándo termina: `90m`, `2d`, `mañana 18:00`; de diez segundos a 60 días.", \
	  "Devo sapere quando finisce: `90m`, `2d`, `domani 18:00`; da dieci secondi a 60 giorni.") \
	P(POLL_UNKNOWN, "There is no such poll here (any more).", "Diese Umfrage gibt es hier nicht (mehr).", \
	  "Esa encuesta no existe aquí (ya no).", "Questo sondaggio non esiste (più) qui.") \
	P(POLL_OVER, "This poll is over.", "Diese Umfrage ist zu Ende.", "Esta encuesta ha terminado.", \
	  "Questo sondaggio è finito.") \
	P(POLL_NOT_YOURS, "Only who made a poll, and moderators, may end it before its time.", \
	  "Nur wer eine Umfrage gestellt hat, und Moderatoren, dürfen sie vor ihrer Zeit beenden.", \
	  "Solo quien hizo la encuesta y los moderadores pueden terminarla antes.", \
	  "Solo chi ha creato il sondaggio e i moderatori possono chiuderlo prima.") \
	P(POLL_ENDED_NOW, "The poll is over; the result stands in its channel.", \
	  "Die Umfrage ist zu Ende; das Ergebnis steht in ihrem Kanal.", \
	  "La encuesta ha terminado; el resultado está en su canal.", \
	  "Il sondaggio è finito; il risultato è nel suo canale.") \
	P(POLL_VOTED, "Your vote: {answers}. The same button takes it back, another one changes it.", \
	  "Deine Stimme: {answers}. Derselbe Button nimmt sie zurück, ein anderer ändert sie.", \
	  "Tu voto: {answers}. El mismo botón lo retira, otro lo cambia.", \
	  "Il tuo voto: {answers}. Lo stesso pulsante lo ritira, un altro lo cambia.") \
	P(POLL_VOTE_BACK, "Your vote is taken back.", "Deine Stimme ist zurückgenommen.", "Tu voto se ha retirado.", \
	  "Il tuo voto è ritirato.") \
	P(POLL_VOTE_KEPT, "Your vote is kept safely. My storage is away; it counts as of now, and shows when that is back.", \
	  "Deine Stimme ist sicher aufgehoben. Mein Speicher ist gerade nicht erreichbar; sie zählt ab jetzt und zeigt sich, wenn er wieder da ist.", \
	  "Tu voto está guardado. Mi almacenamiento no está disponible; cuenta desde ahora y se verá cuando vuelva.", \
	  "Il tuo voto è conservato. Il mio archivio non è disponibile; conta da ora e si vedrà quando torna.") \
	P(POLL_NO_STORAGE, "I run without a database here, so there are no polls. My operator can change that.", \
	  "Ich laufe hier ohne Datenbank, darum gibt es keine Umfragen. Mein Betreiber kann das ändern.", \
	  "Aquí funciono sin base de datos, así que no hay encuestas. Mi operador puede cambiarlo.", \
	  "Qui funziono senza database, quindi niente sondaggi. Il mio gestore può cambiarlo.") \
	P(POLL_STORAGE_AWAY, "My storage is away, so polls can't be looked up just now. Please try again later.", \
	  "Mein Speicher ist gerade nicht erreichbar, Umfragen lassen sich nicht nachsehen. Bitte versuche es später.", \
	  "Mi almacenamiento no está disponible; ahora no se pueden consultar encuestas. Inténtalo más tarde.", \
	  "Il mio archivio non è disponibile; i sondaggi non si possono consultare ora. Riprova più tardi.")
/* clang-format on */

SHOAL_PHRASES_DECLARE(utility_phrases, UTILITY_PHRASES);
#define PHRASE(id) (&utility_phrases.id)

#endif
