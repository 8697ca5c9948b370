/* Phrases of the commands that every shoal has. One row each: id, English, German, Spanish, Italian. */
#ifndef SHOAL_SHARED_PHRASES_BUILTIN_H
#define SHOAL_SHARED_PHRASES_BUILTIN_H

/* clang-format off */
#define BUILTIN_PHRASES(P) \
	P(PING, \
	  "Pong! Gateway: {gateway}, REST: {rest}, shard {shard} of {count}.", \
	  "Pong! Gateway: {gateway}, REST: {rest}, Shard {shard} von {count}.", \
	  "¡Pong! Gateway: {gateway}, REST: {rest}, shard {shard} de {count}.", \
	  "Pong! Gateway: {gateway}, REST: {rest}, shard {shard} di {count}.") \
	P(NOT_MEASURED, "not measured yet", "noch nicht gemessen", "aún sin medir", "non ancora misurato") \
	P(HELP_TITLE, "**What I can do**", "**Was ich kann**", "**Lo que sé hacer**", "**Che cosa so fare**") \
	P(HELP_GENERAL, "General", "Allgemein", "General", "Generale") \
	P(HELP_MENUS, \
	  "In the menus of members and messages, under Apps: {names}", \
	  "In den Menüs von Mitgliedern und Nachrichten, unter Apps: {names}", \
	  "En los menús de miembros y mensajes, en Aplicaciones: {names}", \
	  "Nei menu di membri e messaggi, sotto App: {names}") \
	P(HELP_MORE, \
	  "`/help command:` followed by a name tells more.", \
	  "`/help command:` mit einem Namen dahinter sagt mehr.", \
	  "`/help command:` seguido de un nombre cuenta más.", \
	  "`/help command:` seguito da un nome dice di più.") \
	P(HELP_PREFIX, \
	  "Most commands also work as {example}, or when you mention me.", \
	  "Die meisten Befehle gehen auch als {example}, oder wenn du mich erwähnst.", \
	  "La mayoría funciona también como {example}, o si me mencionas.", \
	  "La maggior parte funziona anche come {example}, o se mi menzioni.") \
	P(HELP_OPTIONAL, "(optional)", "(optional)", "(opcional)", "(facoltativo)") \
	P(HELP_NEEDS, "needs {permission}", "braucht {permission}", "necesita {permission}", "richiede {permission}") \
	P(HELP_LEVEL, "from the level {level} on", "ab der Stufe {level}", "desde el nivel {level}", "dal livello {level}") \
	P(HELP_SERVERS, "works in servers only", "geht nur auf Servern", "funciona solo en servidores", "funziona solo nei server") \
	P(HELP_EPHEMERAL, "only you see the answer", "nur du siehst die Antwort", "solo tú ves la respuesta", "solo tu vedi la risposta") \
	P(HELP_MESSAGE, "also as a message: {example}", "auch als Nachricht: {example}", "también como mensaje: {example}", "anche come messaggio: {example}") \
	P(PRIVACY_NO_DATABASE, \
	  "No database is configured, so nothing is kept of you beyond what is being handled right now.", \
	  "Es ist keine Datenbank eingerichtet, also ist von dir nichts gespeichert außer dem, was gerade bearbeitet wird.", \
	  "No hay base de datos configurada, así que no guardo nada de ti aparte de lo que se procesa ahora.", \
	  "Nessun database è configurato, quindi di te non è conservato nulla oltre a ciò che si elabora ora.") \
	P(PRIVACY_AWAY, \
	  "The database is not there just now; please try again later.", \
	  "Die Datenbank ist gerade nicht erreichbar; bitte versuche es später.", \
	  "La base de datos no está disponible ahora; inténtalo más tarde.", \
	  "Il database ora non è disponibile; riprova più tardi.") \
	P(PRIVACY_BROKEN, \
	  "That did not work to its end. What was done stays done; please ask again, it goes on from there. It is noted as incident {incident}.", \
	  "Das kam nicht bis zum Ende. Was getan ist, bleibt getan; bitte frage noch einmal, es geht von dort weiter. Es ist als Vorfall {incident} notiert.", \
	  "No llegó hasta el final. Lo hecho, hecho está; vuelve a pedirlo y sigue desde ahí. Queda anotado como incidente {incident}.", \
	  "Non è arrivato alla fine. Quel che è fatto resta; chiedi di nuovo, riprende da lì. È annotato come incidente {incident}.") \
	P(PRIVACY_NOTHING, \
	  "I keep nothing of you.", \
	  "Ich habe nichts von dir gespeichert.", \
	  "No guardo nada de ti.", \
	  "Di te non conservo nulla.") \
	P(PRIVACY_ALL, \
	  "This is all that I keep of you, as it is stored. `/privacy delete` deletes it.", \
	  "Das ist alles, was ich von dir gespeichert habe, so wie es gespeichert ist. `/privacy delete` löscht es.", \
	  "Esto es todo lo que guardo de ti, tal como está guardado. `/privacy delete` lo borra.", \
	  "Questo è tutto ciò che conservo di te, così com'è salvato. `/privacy delete` lo elimina.") \
	P(PRIVACY_CUT, \
	  "There is more than fits here: ask the bot's operator for `shoalctl privacy export {user}`.", \
	  "Es ist mehr, als hier hineinpasst: Bitte den Betreiber des Bots um `shoalctl privacy export {user}`.", \
	  "Hay más de lo que cabe aquí: pide al operador del bot `shoalctl privacy export {user}`.", \
	  "C'è più di quanto entri qui: chiedi al gestore del bot `shoalctl privacy export {user}`.") \
	P(PRIVACY_BUTTON, "Delete it", "Löschen", "Borrar", "Elimina") \
	P(PRIVACY_ASK, \
	  "This removes what I keep of you in every server: your own settings, what modules keep for you (reminders, polls, votes), and your name where you changed a server's settings or stand in one. It can't be undone. What you wrote in Discord itself stays there.", \
	  "Das entfernt, was ich von dir auf allen Servern habe: deine Einstellungen, was Module für dich aufheben (Erinnerungen, Umfragen, Stimmen), und deinen Namen, wo du Einstellungen eines Servers geändert hast oder in einer stehst. Es lässt sich nicht rückgängig machen. Was du in Discord selbst geschrieben hast, bleibt dort.", \
	  "Esto borra lo que guardo de ti en todos los servidores: tus ajustes, lo que los módulos guardan para ti (recordatorios, encuestas, votos), y tu nombre donde cambiaste ajustes de un servidor o apareces en uno. No se puede deshacer. Lo que escribiste en Discord se queda ahí.", \
	  "Questo rimuove ciò che conservo di te in ogni server: le tue impostazioni, ciò che i moduli conservano per te (promemoria, sondaggi, voti) e il tuo nome dove hai cambiato quelle di un server o vi compari. Non si può annullare. Ciò che hai scritto in Discord resta lì.") \
	P(PRIVACY_DONE, \
	  "Done: {count} entries are deleted or no longer name you. What waits in files goes within two minutes.", \
	  "Fertig: {count} Einträge sind gelöscht oder nennen dich nicht mehr. Was in Dateien wartet, geht binnen zwei Minuten.", \
	  "Hecho: {count} entradas están borradas o ya no te nombran. Lo que espera en archivos se irá en dos minutos.", \
	  "Fatto: {count} voci sono eliminate o non ti nominano più. Ciò che attende nei file sparisce entro due minuti.") \
	P(PRIVACY_FOREIGN, \
	  "That button was not yours. `/privacy delete` gives you one.", \
	  "Das war nicht dein Button. `/privacy delete` gibt dir einen.", \
	  "Ese botón no era tuyo. `/privacy delete` te da uno.", \
	  "Quel pulsante non era tuo. `/privacy delete` te ne dà uno.") \
	P(SHARDS_TABLE, "shard  state          guilds  latency", "Shard  Zustand        Server  Latenz", "shard  estado         serv.   latencia", "shard  stato          server  latenza") \
	P(SHARD_NONE, "none", "keiner", "ninguno", "nessuno") \
	P(SHARD_STARTING, "starting", "startet", "arrancando", "in avvio") \
	P(SHARD_CONNECTING, "connecting", "verbindet", "conectando", "si connette") \
	P(SHARD_WAITING, "waiting", "wartet", "en espera", "in attesa") \
	P(SHARD_IDENTIFYING, "identifying", "meldet sich", "entrando", "si identifica") \
	P(SHARD_RESUMING, "resuming", "setzt fort", "reanudando", "riprende") \
	P(SHARD_LOADING, "loading", "lädt", "cargando", "in carico") \
	P(SHARD_READY, "ready", "bereit", "listo", "pronto") \
	P(SHARD_BACKOFF, "backoff", "pausiert", "en pausa", "in pausa") \
	P(SHARD_STOPPING, "stopping", "hält an", "parando", "si ferma") \
	P(SHARD_STOPPED, "stopped", "angehalten", "parado", "fermo") \
	P(SHARD_FAILED, "failed", "gescheitert", "fallido", "fallito") \
	P(SHARD_UNKNOWN, "unknown", "unbekannt", "desconocido", "sconosciuto") \
	P(SHARDS_NOT_READY, "Not ready: {shards}", "Nicht bereit: {shards}", "No listos: {shards}", "Non pronti: {shards}") \
	P(AND_MORE, "{list} and {count} more", "{list} und {count} weitere", "{list} y {count} más", "{list} e altri {count}") \
	P(SHARDS_READY, \
	  "**{ready} of {count} shards ready**, {servers} servers. You are on shard {shard}.", \
	  "**{ready} von {count} Shards bereit**, {servers} Server. Du bist auf Shard {shard}.", \
	  "**{ready} de {count} shards listos**, {servers} servidores. Estás en el shard {shard}.", \
	  "**{ready} di {count} shard pronti**, {servers} server. Sei sullo shard {shard}.") \
	P(SHARDS_NO_SUPERVISOR, \
	  "The supervisor does not answer just now, so I can speak for shard {shard} only. Please try again in a minute.", \
	  "Der Supervisor antwortet gerade nicht, ich kann also nur für Shard {shard} sprechen. Bitte versuche es in einer Minute.", \
	  "El supervisor no responde ahora, así que solo hablo por el shard {shard}. Inténtalo en un minuto.", \
	  "Il supervisore ora non risponde, quindi parlo solo per lo shard {shard}. Riprova tra un minuto.") \
	P(STATS_MISSING, \
	  "No answer within half a second from shard {shards}: not counted above.", \
	  "Binnen einer halben Sekunde keine Antwort von Shard {shards}: oben nicht mitgezählt.", \
	  "Sin respuesta en medio segundo del shard {shards}: no se cuenta arriba.", \
	  "Nessuna risposta entro mezzo secondo dallo shard {shards}: non contato sopra.") \
	P(STATS_ALL, \
	  "**{answered} of {count} shards**: {servers} servers, {rate} events/s, {memory} MiB of memory.", \
	  "**{answered} von {count} Shards**: {servers} Server, {rate} Ereignisse/s, {memory} MiB Speicher.", \
	  "**{answered} de {count} shards**: {servers} servidores, {rate} eventos/s, {memory} MiB de memoria.", \
	  "**{answered} di {count} shard**: {servers} server, {rate} eventi/s, {memory} MiB di memoria.") \
	P(STATS_ALONE, \
	  "Shard {shard} alone: {servers} servers, {rate} events/s, {memory} MiB.", \
	  "Shard {shard} allein: {servers} Server, {rate} Ereignisse/s, {memory} MiB.", \
	  "Solo el shard {shard}: {servers} servidores, {rate} eventos/s, {memory} MiB.", \
	  "Solo lo shard {shard}: {servers} server, {rate} eventi/s, {memory} MiB.") \
	P(STATS_BROKE, \
	  "The connection between the shards broke just now.", \
	  "Die Verbindung zwischen den Shards ist gerade abgerissen.", \
	  "La conexión entre los shards se acaba de cortar.", \
	  "La connessione tra gli shard si è appena interrotta.") \
	P(STATS_NO_NATS, \
	  "The shards can't ask each other here, because NATS is not configured.", \
	  "Die Shards können einander hier nicht fragen, weil NATS nicht eingerichtet ist.", \
	  "Aquí los shards no pueden preguntarse, porque NATS no está configurado.", \
	  "Qui gli shard non possono interrogarsi, perché NATS non è configurato.") \
	P(STATS_NATS_AWAY, \
	  "The shards can't ask each other just now.", \
	  "Die Shards können einander gerade nicht fragen.", \
	  "Ahora los shards no pueden preguntarse.", \
	  "Ora gli shard non possono interrogarsi.") \
	P(LAYER_DEFAULT, "the default", "die Voreinstellung", "el valor predeterminado", "il predefinito") \
	P(LAYER_GLOBAL, "set for all servers by the operator", "vom Betreiber für alle Server gesetzt", "establecido para todos los servidores por el operador", "impostato per tutti i server dal gestore") \
	P(LAYER_GUILD, "set for this server", "für diesen Server gesetzt", "establecido para este servidor", "impostato per questo server") \
	P(LAYER_CHANNEL, "set for the channel", "für den Kanal gesetzt", "establecido para el canal", "impostato per il canale") \
	P(LAYER_USER, "set by you", "von dir gesetzt", "establecido por ti", "impostato da te") \
	P(VALUE_HIDDEN, "(set, hidden)", "(gesetzt, verborgen)", "(establecido, oculto)", "(impostato, nascosto)") \
	P(VALUE_EMPTY, "(empty)", "(leer)", "(vacío)", "(vuoto)") \
	P(VALUE_NOT_SET, "not set", "nicht gesetzt", "sin establecer", "non impostato") \
	P(VALUE_WAITS, "(waits for the database)", "(wartet auf die Datenbank)", "(espera a la base de datos)", "(attende il database)") \
	P(VALUE_VERSION, "(version {version}, {when})", "(Version {version}, {when})", "(versión {version}, {when})", "(versione {version}, {when})") \
	P(SETTINGS_OLD, \
	  "The database with this server's settings is not there just now, so this may be old or a default.", \
	  "Die Datenbank mit den Einstellungen dieses Servers ist gerade nicht erreichbar; das kann also alt oder voreingestellt sein.", \
	  "La base de datos con los ajustes de este servidor no está disponible ahora; esto puede ser antiguo o predeterminado.", \
	  "Il database con le impostazioni di questo server ora non è disponibile; questo può essere vecchio o predefinito.") \
	P(SETTINGS_FIXED, \
	  "No database is configured, so nothing can be changed.", \
	  "Es ist keine Datenbank eingerichtet, also lässt sich nichts ändern.", \
	  "No hay base de datos configurada, así que no se puede cambiar nada.", \
	  "Nessun database è configurato, quindi nulla si può cambiare.") \
	P(SETTINGS_KEPT, \
	  "The database is not there just now: this is kept, and will be written when it is back.", \
	  "Die Datenbank ist gerade nicht erreichbar: Die Änderung ist aufgehoben und wird geschrieben, sobald sie wieder da ist.", \
	  "La base de datos no está disponible ahora: esto queda guardado y se escribirá cuando vuelva.", \
	  "Il database ora non è disponibile: questo è conservato e sarà scritto quando torna.") \
	P(PREFIX_DONE, \
	  "Done: commands here now begin with {prefix}, for example {example}.", \
	  "Fertig: Befehle beginnen hier jetzt mit {prefix}, zum Beispiel {example}.", \
	  "Hecho: los comandos aquí empiezan ahora con {prefix}, por ejemplo {example}.", \
	  "Fatto: i comandi qui ora iniziano con {prefix}, per esempio {example}.") \
	P(PREFIX_FIXED, \
	  "Commands here begin with {prefix}. No database is configured, so it can't be changed.", \
	  "Befehle beginnen hier mit {prefix}. Es ist keine Datenbank eingerichtet, also lässt es sich nicht ändern.", \
	  "Los comandos aquí empiezan con {prefix}. No hay base de datos configurada, así que no se puede cambiar.", \
	  "I comandi qui iniziano con {prefix}. Nessun database è configurato, quindi non si può cambiare.") \
	P(PREFIX_IS, \
	  "Commands here begin with {prefix}. `/settings prefix new:` changes it.", \
	  "Befehle beginnen hier mit {prefix}. `/settings prefix new:` ändert das.", \
	  "Los comandos aquí empiezan con {prefix}. `/settings prefix new:` lo cambia.", \
	  "I comandi qui iniziano con {prefix}. `/settings prefix new:` lo cambia.") \
	P(PREFIX_NOW, \
	  "Just now commands here begin with {prefix}: the database with this server's settings is not there.", \
	  "Im Moment beginnen Befehle hier mit {prefix}: Die Datenbank mit den Einstellungen dieses Servers ist nicht erreichbar.", \
	  "Ahora mismo los comandos aquí empiezan con {prefix}: la base de datos con los ajustes no está disponible.", \
	  "Al momento i comandi qui iniziano con {prefix}: il database con le impostazioni non è disponibile.") \
	P(SETTINGS_REST, \
	  "… and more, shown by `/settings show name:` with{names}", \
	  "… und mehr; `/settings show name:` zeigt es, mit{names}", \
	  "… y más; lo muestra `/settings show name:` con{names}", \
	  "… e altro; lo mostra `/settings show name:` con{names}") \
	P(SETTING_IS, "`{name}` is {value}, {layer}", "`{name}` ist {value}, {layer}", "`{name}` es {value}, {layer}", "`{name}` è {value}, {layer}") \
	P(SETTING_UNUSABLE, "not usable: {why}", "nicht brauchbar: {why}", "inservible: {why}", "inutilizzabile: {why}") \
	P(SETTING_NONE, \
	  "There is no setting `{name}`; `/settings show` lists them all.", \
	  "Es gibt keine Einstellung `{name}`; `/settings show` nennt alle.", \
	  "No existe el ajuste `{name}`; `/settings show` los enumera todos.", \
	  "Non c'è l'impostazione `{name}`; `/settings show` le elenca tutte.") \
	P(SETTING_PLAIN, "`{name}`: {value}", "`{name}`: {value}", "`{name}`: {value}", "`{name}`: {value}") \
	P(SETTINGS_LEGEND, \
	  "Where nothing else is said it is the default. `/settings show name:` with a name, or with the part before its point, tells more.", \
	  "Wo nichts anderes steht, ist es die Voreinstellung. `/settings show name:` mit einem Namen oder dem Teil vor seinem Punkt sagt mehr.", \
	  "Donde no se dice otra cosa, es el valor predeterminado. `/settings show name:` con un nombre, o con la parte antes del punto, cuenta más.", \
	  "Dove non è detto altro, è il valore predefinito. `/settings show name:` con un nome, o con la parte prima del punto, dice di più.") \
	P(SETTINGS_LEGEND_ONE, \
	  "Where nothing else is said it is the default. `/settings set` changes it.", \
	  "Wo nichts anderes steht, ist es die Voreinstellung. `/settings set` ändert es.", \
	  "Donde no se dice otra cosa, es el valor predeterminado. `/settings set` lo cambia.", \
	  "Dove non è detto altro, è il valore predefinito. `/settings set` lo cambia.") \
	P(SETTING_CHANGED, \
	  "Done: `{name}` is changed{version}.", \
	  "Fertig: `{name}` ist geändert{version}.", \
	  "Hecho: `{name}` ha cambiado{version}.", \
	  "Fatto: `{name}` è cambiato{version}.") \
	P(SETTING_NOW, \
	  "What counts here now: {value}, {layer}.", \
	  "Hier gilt jetzt: {value}, {layer}.", \
	  "Aquí vale ahora: {value}, {layer}.", \
	  "Qui ora vale: {value}, {layer}.") \
	P(SETTING_STRANGER, \
	  "I see no {what} in this server, so nothing comes of it as long as that is so.", \
	  "Ich sehe {what} auf diesem Server nicht; solange das so ist, passiert damit nichts.", \
	  "No veo {what} en este servidor; mientras siga así, no tendrá ningún efecto.", \
	  "Non vedo {what} in questo server; finché è così, non avrà alcun effetto.") \
	P(VERSION, "(version {version})", "(Version {version})", "(versión {version})", "(versione {version})") \
	P(HISTORY_ROW, \
	  "{when} `{name}`{where} version {version}: {before} → {after}{who}", \
	  "{when} `{name}`{where} Version {version}: {before} → {after}{who}", \
	  "{when} `{name}`{where} versión {version}: {before} → {after}{who}", \
	  "{when} `{name}`{where} versione {version}: {before} → {after}{who}") \
	P(HISTORY_IN, " in {channel}", " in {channel}", " en {channel}", " in {channel}") \
	P(HISTORY_BY, " by {who}", " von {who}", " por {who}", " da {who}") \
	P(HISTORY_EMPTY, "Nothing was changed here yet.", "Hier wurde noch nichts geändert.", "Aquí aún no se ha cambiado nada.", "Qui non è ancora cambiato nulla.") \
	P(LIST_PROGRAM, "a program", "einem Programm", "un programa", "un programma") \
	P(LIST_ROW, "`{name}` = {value} by {who}", "`{name}` = {value} von {who}", "`{name}` = {value} por {who}", "`{name}` = {value} da {who}") \
	P(LIST_EMPTY, "Everything here is as it comes: nothing was changed.", "Hier ist alles, wie es kommt: Nichts wurde geändert.", "Aquí todo está como viene: no se ha cambiado nada.", "Qui tutto è com'era: nulla è cambiato.") \
	P(LIST_MORE, "… and {count} more", "… und {count} weitere", "… y {count} más", "… e altri {count}") \
	P(SETTING_NO_KEY, \
	  "This setting is kept encrypted, and my operator has not given me the key for it. Nothing was changed.", \
	  "Diese Einstellung wird verschlüsselt gespeichert, und mein Betreiber hat mir den Schlüssel dafür nicht gegeben. Nichts wurde geändert.", \
	  "Este ajuste se guarda cifrado, y mi operador no me ha dado la clave. No se cambió nada.", \
	  "Questa impostazione è cifrata, e il mio gestore non mi ha dato la chiave. Nulla è cambiato.") \
	P(SETTINGS_NOT_SET_UP, \
	  "Settings can't be stored: the database is not set up for that. Nothing was changed; my operator's log says what to do.", \
	  "Einstellungen lassen sich nicht speichern: Die Datenbank ist dafür nicht eingerichtet. Nichts wurde geändert; das Protokoll meines Betreibers sagt, was zu tun ist.", \
	  "Los ajustes no se pueden guardar: la base de datos no está preparada. No se cambió nada; el registro de mi operador dice qué hacer.", \
	  "Le impostazioni non si possono salvare: il database non è predisposto. Nulla è cambiato; il registro del mio gestore dice che cosa fare.") \
	P(SETTING_VERSIONS_END, \
	  "This setting's versions have come to the highest number that there is, so no newer one can follow. Nothing was changed; my operator's log says what to do.", \
	  "Die Versionen dieser Einstellung sind bei der höchsten Zahl, die es gibt; keine neuere kann folgen. Nichts wurde geändert; das Protokoll meines Betreibers sagt, was zu tun ist.", \
	  "Las versiones de este ajuste han llegado al número más alto que hay, así que no puede haber otra. No se cambió nada; el registro de mi operador dice qué hacer.", \
	  "Le versioni di questa impostazione sono arrivate al numero più alto che esista, quindi non può seguirne un'altra. Nulla è cambiato; il registro del mio gestore dice che cosa fare.") \
	P(SETTING_REFUSED, \
	  "The database refused what would be stored. Nothing was changed; my operator's log says more.", \
	  "Die Datenbank hat abgelehnt, was gespeichert werden sollte. Nichts wurde geändert; das Protokoll meines Betreibers sagt mehr.", \
	  "La base de datos rechazó lo que se iba a guardar. No se cambió nada; el registro de mi operador dice más.", \
	  "Il database ha rifiutato ciò che si voleva salvare. Nulla è cambiato; il registro del mio gestore dice di più.") \
	P(SETTING_FULL, \
	  "There are too many settings here already. Nothing was changed.", \
	  "Es gibt hier schon zu viele Einstellungen. Nichts wurde geändert.", \
	  "Ya hay demasiados ajustes aquí. No se cambió nada.", \
	  "Ci sono già troppe impostazioni qui. Nulla è cambiato.") \
	P(SETTING_WANTS, \
	  "That can't be stored: `{name}` wants {allowed}.", \
	  "Das lässt sich nicht speichern. Erlaubt bei `{name}`: {allowed}.", \
	  "No se puede guardar: `{name}` pide {allowed}.", \
	  "Non si può salvare: `{name}` vuole {allowed}.") \
	P(SETTING_NOT_HERE, \
	  "`{name}` can't be set for that. `/settings show name:{name}` tells where it can be.", \
	  "`{name}` lässt sich dafür nicht setzen. `/settings show name:{name}` sagt, wo es geht.", \
	  "`{name}` no se puede establecer ahí. `/settings show name:{name}` dice dónde se puede.", \
	  "`{name}` non si può impostare lì. `/settings show name:{name}` dice dove si può.") \
	P(SETTING_NOT_SET, \
	  "`{name}` is not set there, so nothing was changed.", \
	  "`{name}` ist dort nicht gesetzt, also wurde nichts geändert.", \
	  "`{name}` no está establecido ahí, así que no se cambió nada.", \
	  "`{name}` non è impostato lì, quindi nulla è cambiato.") \
	P(SETTING_NO_VERSION, \
	  "`{name}` has no version {version} in its history. `/settings history name:{name}` names them.", \
	  "`{name}` hat keine Version {version} im Verlauf. `/settings history name:{name}` nennt sie.", \
	  "`{name}` no tiene versión {version} en su historia. `/settings history name:{name}` las enumera.", \
	  "`{name}` non ha una versione {version} nella sua storia. `/settings history name:{name}` le elenca.") \
	P(ALLOWED_BOOL, \
	  "yes or no", \
	  "ja oder nein", \
	  "sí o no", \
	  "sì o no") \
	P(ALLOWED_INTEGER, \
	  "a whole number", \
	  "eine ganze Zahl", \
	  "un número entero", \
	  "un numero intero") \
	P(ALLOWED_INTEGER_IN, \
	  "a whole number from {low} to {high}", \
	  "eine ganze Zahl von {low} bis {high}", \
	  "un número entero de {low} a {high}", \
	  "un numero intero da {low} a {high}") \
	P(ALLOWED_NUMBER, \
	  "a number", \
	  "eine Zahl", \
	  "un número", \
	  "un numero") \
	P(ALLOWED_NUMBER_IN, \
	  "a number from {low} to {high}", \
	  "eine Zahl von {low} bis {high}", \
	  "un número de {low} a {high}", \
	  "un numero da {low} a {high}") \
	P(ALLOWED_TEXT, \
	  "a text", \
	  "ein Text", \
	  "un texto", \
	  "un testo") \
	P(ALLOWED_TEXT_IN, \
	  "a text of {low} to {high} characters", \
	  "ein Text von {low} bis {high} Zeichen", \
	  "un texto de {low} a {high} caracteres", \
	  "un testo da {low} a {high} caratteri") \
	P(ALLOWED_CHOICE, \
	  "one of {choices}", \
	  "eines von {choices}", \
	  "uno de {choices}", \
	  "uno di {choices}") \
	P(ALLOWED_DURATION, \
	  "a duration such as 90s, 15m, 2h, 7d", \
	  "eine Dauer wie 90s, 15m, 2h, 7d", \
	  "una duración como 90s, 15m, 2h, 7d", \
	  "una durata come 90s, 15m, 2h, 7d") \
	P(ALLOWED_DURATION_IN, \
	  "a duration from {low} to {high}, such as 90s, 15m, 2h, 7d", \
	  "eine Dauer von {low} bis {high}, wie 90s, 15m, 2h, 7d", \
	  "una duración de {low} a {high}, como 90s, 15m, 2h, 7d", \
	  "una durata da {low} a {high}, come 90s, 15m, 2h, 7d") \
	P(ALLOWED_CHANNEL, \
	  "a channel, or none", \
	  "ein Kanal, oder `nichts`", \
	  "un canal, o `ninguno`", \
	  "un canale, o `nessuno`") \
	P(ALLOWED_ROLE, \
	  "a role, or none", \
	  "eine Rolle, oder `nichts`", \
	  "un rol, o `ninguno`", \
	  "un ruolo, o `nessuno`") \
	P(ALLOWED_USER, \
	  "a member, or none", \
	  "ein Mitglied, oder `nichts`", \
	  "un miembro, o `ninguno`", \
	  "un membro, o `nessuno`") \
	P(ALLOWED_CHANNELS, \
	  "at most {high} channels, one mention each, or none", \
	  "höchstens {high} Kanäle, jeden erwähnt, oder `nichts`", \
	  "como mucho {high} canales, cada uno mencionado, o `ninguno`", \
	  "al massimo {high} canali, ognuno menzionato, o `nessuno`") \
	P(ALLOWED_ROLES, \
	  "at most {high} roles, one mention each, or none", \
	  "höchstens {high} Rollen, jede erwähnt, oder `nichts`", \
	  "como mucho {high} roles, cada uno mencionado, o `ninguno`", \
	  "al massimo {high} ruoli, ognuno menzionato, o `nessuno`") \
	P(ALLOWED_USERS, \
	  "at most {high} members, one mention each, or none", \
	  "höchstens {high} Mitglieder, jedes erwähnt, oder `nichts`", \
	  "como mucho {high} miembros, cada uno mencionado, o `ninguno`", \
	  "al massimo {high} membri, ognuno menzionato, o `nessuno`")
/* clang-format on */

#endif
