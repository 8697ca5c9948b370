/* Phrases of /permissions. One row each: id, English, German, Spanish, Italian. */
#ifndef SHOAL_SHARED_PHRASES_PERMISSIONS_H
#define SHOAL_SHARED_PHRASES_PERMISSIONS_H

/* clang-format off */
#define PERMISSIONS_PHRASES(P) \
	P(PERM_NONE, \
	  "Nothing is set here: who may do what follows from Discord's permissions.", \
	  "Hier ist nichts festgelegt: Wer was darf, ergibt sich aus Discords Berechtigungen.", \
	  "Aquí no hay nada establecido: quién puede hacer qué depende de los permisos de Discord.", \
	  "Qui non è impostato nulla: chi può fare che cosa dipende dai permessi di Discord.") \
	P(PERM_LEVELS, "**Levels**", "**Stufen**", "**Niveles**", "**Livelli**") \
	P(PERM_LEVEL_LINE, "*{level}*: {who}", "*{level}*: {who}", "*{level}*: {who}", "*{level}*: {who}") \
	P(PERM_FROM_DISCORD, \
	  "Discord's permissions give levels, too: Manage Server → admin; Kick, Ban or Timeout Members → moderator; Manage Messages → helper.", \
	  "Discords Berechtigungen geben auch Stufen: Server verwalten → Admin; Mitglieder kicken, bannen oder in den Timeout schicken → Moderator; Nachrichten verwalten → Helfer.", \
	  "Los permisos de Discord también dan niveles: Gestionar servidor → administrador; expulsar, banear o aislar a miembros → moderador; Gestionar mensajes → ayudante.", \
	  "Anche i permessi di Discord danno livelli: Gestisci server → amministratore; espellere, bandire o mettere in timeout → moderatore; Gestisci messaggi → aiutante.") \
	P(PERM_RULES, "**Rules**", "**Regeln**", "**Reglas**", "**Regole**") \
	P(PERM_ONLY, "{target}: only {who}", "{target}: nur {who}", "{target}: solo {who}", "{target}: solo {who}") \
	P(PERM_NOT, "{target}: not {who}", "{target}: nicht {who}", "{target}: no {who}", "{target}: non {who}") \
	P(PERM_NEEDS, "{target}: from *{level}* on", "{target}: ab *{level}*", "{target}: desde *{level}*", "{target}: da *{level}*") \
	P(PERM_ALL, "everything", "alles", "todo", "tutto") \
	P(PERM_MODULE, "module {name}", "Modul {name}", "módulo {name}", "modulo {name}") \
	P(PERM_MORE, \
	  "… and {count} more; `/settings show name:access.rules` has them all.", \
	  "… und {count} weitere; `/settings show name:access.rules` hat sie alle.", \
	  "… y {count} más; `/settings show name:access.rules` las tiene todas.", \
	  "… e altre {count}; `/settings show name:access.rules` le ha tutte.") \
	P(PERM_DONE, "Done. {what}", "Fertig. {what}", "Hecho. {what}", "Fatto. {what}") \
	P(PERM_NO_RULE, \
	  "There is no such rule here, so nothing was changed. `/permissions show` has those that there are.", \
	  "So eine Regel gibt es hier nicht, darum wurde nichts geändert. `/permissions show` zeigt die, die es gibt.", \
	  "Aquí no hay ninguna regla así, por eso no se cambió nada. `/permissions show` muestra las que hay.", \
	  "Qui non c'è una regola così, perciò nulla è cambiato. `/permissions show` mostra quelle che ci sono.") \
	P(PERM_SAME, "That was so already.", "Das war schon so.", "Ya era así.", "Era già così.") \
	P(PERM_WHOM, \
	  "Please name a role, a member or a channel.", \
	  "Bitte nenne eine Rolle, ein Mitglied oder einen Kanal.", \
	  "Indica un rol, un miembro o un canal.", \
	  "Indica un ruolo, un membro o un canale.") \
	P(PERM_WHOM_LEVEL, \
	  "Please name a role or a member.", \
	  "Bitte nenne eine Rolle oder ein Mitglied.", \
	  "Indica un rol o un miembro.", \
	  "Indica un ruolo o un membro.") \
	P(PERM_TARGET_UNKNOWN, \
	  "I have no command and no module of that name. A command is written `/name`, everything is `all`.", \
	  "Ich habe keinen Befehl und kein Modul dieses Namens. Ein Befehl wird `/name` geschrieben, alles ist `all`.", \
	  "No tengo ningún comando ni módulo con ese nombre. Un comando se escribe `/name`, todo es `all`.", \
	  "Non ho comandi né moduli con quel nome. Un comando si scrive `/name`, tutto è `all`.") \
	P(PERM_OPERATOR_LEVEL, \
	  "That command is for those who run this bot; a server can't change that.", \
	  "Dieser Befehl ist für die Betreiber dieses Bots; ein Server kann das nicht ändern.", \
	  "Ese comando es para quienes operan este bot; un servidor no puede cambiarlo.", \
	  "Quel comando è per chi gestisce questo bot; un server non può cambiarlo.") \
	P(PERM_BUSY, \
	  "Somebody else is changing the rules of this server just now. Please try again in a moment.", \
	  "Gerade ändert jemand anderes die Regeln dieses Servers. Bitte versuche es gleich noch einmal.", \
	  "Otra persona está cambiando las reglas de este servidor. Inténtalo de nuevo en un momento.", \
	  "Qualcun altro sta cambiando le regole di questo server. Riprova tra poco.") \
	P(PERM_FULL, \
	  "There are too many rules here already. Nothing was changed.", \
	  "Es gibt hier schon zu viele Regeln. Nichts wurde geändert.", \
	  "Ya hay demasiadas reglas aquí. No se cambió nada.", \
	  "Ci sono già troppe regole qui. Nulla è cambiato.") \
	P(PERM_UNREADABLE, \
	  "The rules that are stored can't be read, so I did not touch them. `/settings history name:access.rules` shows earlier ones.", \
	  "Die gespeicherten Regeln sind nicht lesbar, darum habe ich sie nicht angerührt. `/settings history name:access.rules` zeigt frühere.", \
	  "Las reglas guardadas no se pueden leer, así que no las toqué. `/settings history name:access.rules` muestra las anteriores.", \
	  "Le regole salvate non si possono leggere, perciò non le ho toccate. `/settings history name:access.rules` mostra le precedenti.") \
	P(EXPLAIN_TITLE, \
	  "**{command}** for {who} in {channel}", \
	  "**{command}** für {who} in {channel}", \
	  "**{command}** para {who} en {channel}", \
	  "**{command}** per {who} in {channel}") \
	P(EXPLAIN_UNKNOWN, \
	  "I have no such command.", "Diesen Befehl habe ich nicht.", "No tengo ese comando.", "Non ho quel comando.") \
	P(EXPLAIN_NO_MEMBER, \
	  "I know nothing of that user's roles: they are not in this server.", \
	  "Ich weiß nichts von den Rollen dieses Benutzers: Er ist nicht auf diesem Server.", \
	  "No sé nada de los roles de ese usuario: no está en este servidor.", \
	  "Non so nulla dei ruoli di quell'utente: non è in questo server.") \
	P(EXPLAIN_ENABLED, \
	  "The module *{module}* is on here.", "Das Modul *{module}* ist hier an.", \
	  "El módulo *{module}* está activado aquí.", "Il modulo *{module}* è attivo qui.") \
	P(EXPLAIN_FORM, \
	  "It can be used in servers.", "Es geht auf Servern.", "Se puede usar en servidores.", "Si può usare nei server.") \
	P(EXPLAIN_OPERATOR, \
	  "The bot's operator has nothing against it.", "Der Betreiber des Bots hat nichts dagegen.", \
	  "El operador del bot no se opone.", "Il gestore del bot non si oppone.") \
	P(EXPLAIN_LIST, \
	  "No rule of this server stands against it.", "Keine Regel dieses Servers steht dagegen.", \
	  "Ninguna regla de este servidor lo impide.", "Nessuna regola di questo server lo impedisce.") \
	P(EXPLAIN_UNBARRED, \
	  "Owner and administrators are stopped by no rule.", "Besitzer und Administratoren hält keine Regel auf.", \
	  "Ninguna regla detiene al propietario ni a los administradores.", \
	  "Nessuna regola ferma il proprietario e gli amministratori.") \
	P(EXPLAIN_RULE, \
	  "A rule for {target} says no.", "Eine Regel für {target} sagt nein.", \
	  "Una regla para {target} dice que no.", "Una regola per {target} dice di no.") \
	P(EXPLAIN_RULE_OTHERS, \
	  "A rule for {target} allows others only.", "Eine Regel für {target} erlaubt nur anderes.", \
	  "Una regla para {target} solo permite otros.", "Una regola per {target} permette solo altri.") \
	P(EXPLAIN_PERMISSION, \
	  "Level here: *{level}*; asked for: *{needed}*, permissions: {permissions}.", \
	  "Stufe hier: *{level}*; verlangt: *{needed}*, Berechtigungen: {permissions}.", \
	  "Nivel aquí: *{level}*; se pide: *{needed}*, permisos: {permissions}.", \
	  "Livello qui: *{level}*; richiesto: *{needed}*, permessi: {permissions}.") \
	P(EXPLAIN_NOTHING, "none", "keine", "ninguno", "nessuno") \
	P(EXPLAIN_COOLDOWN, \
	  "It has no cooldown.", "Es hat keine Wartezeit.", "No tiene tiempo de espera.", "Non ha tempi di attesa.") \
	P(EXPLAIN_COOLDOWN_ROW, \
	  "It can be used {uses} times in {time} by one and the same.", \
	  "Es kann {uses} Mal in {time} benutzt werden.", \
	  "Se puede usar {uses} veces en {time}.", \
	  "Si può usare {uses} volte in {time}.") \
	P(EXPLAIN_UNSURE, \
	  "The database is away: rules may be missing here.", "Die Datenbank ist nicht erreichbar: Hier können Regeln fehlen.", \
	  "La base de datos no está disponible: aquí pueden faltar reglas.", "Il database non è disponibile: qui possono mancare regole.")
/* clang-format on */

#endif
