/* Phrases of /module. One row each: id, English, German, Spanish, Italian. */
#ifndef SHOAL_SHARED_PHRASES_MODULES_H
#define SHOAL_SHARED_PHRASES_MODULES_H

/* clang-format off */
#define MODULE_PHRASES(P) \
	P(MODULES_HEAD, \
	  "What runs in this server (`/module enable` and `disable` change it):", \
	  "Was auf diesem Server läuft (`/module enable` und `disable` ändern es):", \
	  "Lo que funciona en este servidor (se cambia con `/module enable` y `disable`):", \
	  "Che cosa è attivo in questo server (si cambia con `/module enable` e `disable`):") \
	P(MODULE_SWITCH, \
	  "whether the module {module} runs here", "ob das Modul {module} hier läuft", "si el módulo {module} funciona aquí", \
	  "se il modulo {module} è attivo qui") \
	P(MODULES_NONE, \
	  "There are no modules here that could be switched.", \
	  "Es gibt hier keine Module, die man schalten könnte.", \
	  "Aquí no hay módulos que se puedan activar o desactivar.", \
	  "Qui non ci sono moduli da attivare o disattivare.") \
	P(MODULES_DOUBT, \
	  "The database with this server's settings is not there just now, so this may be old or a default.", \
	  "Die Datenbank mit den Einstellungen dieses Servers ist gerade nicht erreichbar; das kann also alt oder ein Vorgabewert sein.", \
	  "La base de datos con los ajustes de este servidor no está disponible; esto puede ser antiguo o el valor por defecto.", \
	  "Il database con le impostazioni di questo server non è disponibile al momento: questo può essere vecchio o predefinito.") \
	P(MODULES_MORE, "… and {count} more", "… und {count} weitere", "… y {count} más", "… e altri {count}") \
	P(MODULE_IS_ON, "on", "an", "activado", "attivo") \
	P(MODULE_IS_OFF, "off", "aus", "desactivado", "disattivato") \
	P(MODULE_BY_DEFAULT, "the default", "die Voreinstellung", "por defecto", "predefinito") \
	P(MODULE_BY_OPERATOR, "set by the bot's operator", "vom Betreiber des Bots gesetzt", "establecido por el operador del bot", \
	  "impostato dal gestore del bot") \
	P(MODULE_BY_SERVER, "set in this server", "auf diesem Server gesetzt", "establecido en este servidor", \
	  "impostato in questo server") \
	P(MODULE_BY_SOMEONE, "set in this server by {member}", "auf diesem Server gesetzt von {member}", \
	  "establecido en este servidor por {member}", "impostato in questo server da {member}") \
	P(MODULE_WAITS, "waits for the database", "wartet auf die Datenbank", "espera a la base de datos", "attende il database") \
	P(MODULE_IS_CRASHED, \
	  "switched off for now because it did not work properly; tried again {time}", \
	  "vorläufig abgeschaltet, weil es nicht richtig funktioniert hat; neuer Versuch {time}", \
	  "desactivado por ahora porque no funcionaba bien; nuevo intento {time}", \
	  "disattivato per ora perché non funzionava bene; nuovo tentativo {time}") \
	P(MODULE_IS_BROKEN, \
	  "does not run: it could not be started", \
	  "läuft nicht: Es ließ sich nicht starten", \
	  "no funciona: no se pudo iniciar", \
	  "non è attivo: non si è potuto avviare") \
	P(MODULE_COMMANDS, "Commands: {commands}", "Befehle: {commands}", "Comandos: {commands}", "Comandi: {commands}") \
	P(MODULE_SETTINGS, \
	  "Settings: {count}, see `/settings show name:{name}`", \
	  "Einstellungen: {count}, siehe `/settings show name:{name}`", \
	  "Ajustes: {count}, véase `/settings show name:{name}`", \
	  "Impostazioni: {count}, vedi `/settings show name:{name}`") \
	P(MODULE_UNKNOWN, \
	  "There is no module `{module}` that could be switched; `/module list` names them all.", \
	  "Es gibt kein Modul `{module}`, das man schalten könnte; `/module list` nennt sie alle.", \
	  "No hay ningún módulo `{module}` que se pueda cambiar; `/module list` los muestra todos.", \
	  "Non c'è un modulo `{module}` da cambiare; `/module list` li elenca tutti.") \
	P(MODULE_NOW_ON, \
	  "Done: `{module}` is on in this server.", \
	  "Erledigt: `{module}` ist auf diesem Server an.", \
	  "Hecho: `{module}` está activado en este servidor.", \
	  "Fatto: `{module}` è attivo in questo server.") \
	P(MODULE_NOW_OFF, \
	  "Done: `{module}` is off in this server. Its commands and buttons say so from now on.", \
	  "Erledigt: `{module}` ist auf diesem Server aus. Seine Befehle und Buttons sagen das von jetzt an.", \
	  "Hecho: `{module}` está desactivado en este servidor. Sus comandos y botones lo dirán desde ahora.", \
	  "Fatto: `{module}` è disattivato in questo server. I suoi comandi e pulsanti lo diranno d'ora in poi.") \
	P(MODULE_NOW_DEFAULT, \
	  "Done: this server no longer says anything of its own about `{module}`. `/module show` tells what counts now.", \
	  "Erledigt: Dieser Server sagt nichts Eigenes mehr zu `{module}`. `/module show` sagt, was jetzt gilt.", \
	  "Hecho: este servidor ya no dice nada propio sobre `{module}`. `/module show` indica qué vale ahora.", \
	  "Fatto: questo server non dice più nulla di proprio su `{module}`. `/module show` indica che cosa vale ora.") \
	P(MODULE_NOT_SET, \
	  "This server had set nothing about `{module}`.", \
	  "Dieser Server hatte zu `{module}` nichts gesetzt.", \
	  "Este servidor no había establecido nada sobre `{module}`.", \
	  "Questo server non aveva impostato nulla su `{module}`.")
/* clang-format on */

#endif
