/* Phrases about settings: values, what stands against one, why one was not stored. One row each: id, English, German,
 * Spanish, Italian. */
#ifndef SHOAL_SHARED_PHRASES_SETTINGS_H
#define SHOAL_SHARED_PHRASES_SETTINGS_H

/* clang-format off */
#define SETTINGS_PHRASES(P) \
	/* values, as they are shown and as they may be typed */ \
	P(VALUE_YES, "yes", "ja", "sí", "sì") \
	P(VALUE_NO, "no", "nein", "no", "no") \
	P(VALUE_NONE, "none", "nichts", "ninguno", "nessuno") \
	/* why a stored value does not count: behind "not usable: " */ \
	P(PROBLEM_NO_KEY, \
	  "it is encrypted with a key that is not there (secrets.key_file)", \
	  "mit einem Schlüssel verschlüsselt, der nicht da ist (secrets.key_file)", \
	  "está cifrado con una clave que no está (secrets.key_file)", \
	  "è cifrato con una chiave che non c'è (secrets.key_file)") \
	P(PROBLEM_SEALED, \
	  "it is encrypted, and does not open: damaged, moved from elsewhere, or another key of that id", \
	  "verschlüsselt und nicht zu öffnen: beschädigt, von woanders hierher geraten oder unter einem anderen Schlüssel dieser ID", \
	  "está cifrado y no se abre: dañado, traído de otro sitio o con otra clave de ese ID", \
	  "è cifrato e non si apre: danneggiato, arrivato da altrove o con un'altra chiave di quell'ID") \
	P(PROBLEM_UNFIT, \
	  "what is stored no longer fits, so it does not count", \
	  "was gespeichert ist, passt nicht mehr und zählt darum nicht", \
	  "lo guardado ya no es válido, así que no cuenta", \
	  "ciò che è salvato non è più valido, quindi non conta") \
	P(PROBLEM_OTHER, \
	  "it can't be read just now", \
	  "es lässt sich gerade nicht lesen", \
	  "no se puede leer ahora mismo", \
	  "al momento non si riesce a leggere") \
	/* why nothing was stored */ \
	P(DATABASE_NO_ROOM, \
	  "The database is away, and there is no more room to keep changes for it. Nothing was changed; please try again later.", \
	  "Die Datenbank ist nicht erreichbar, und es ist kein Platz mehr, um Änderungen für sie aufzuheben. Nichts wurde geändert; bitte versuche es später.", \
	  "La base de datos no está disponible, y ya no queda sitio para guardarle los cambios. No se cambió nada; inténtalo más tarde.", \
	  "Il database non è disponibile, e non c'è più spazio per conservare le modifiche. Nulla è cambiato; riprova più tardi.") \
	P(SETTING_UNFIT, \
	  "`{name}` does not take that value. `/settings show name:{name}` says what it takes.", \
	  "Diesen Wert nimmt `{name}` nicht. `/settings show name:{name}` sagt, was geht.", \
	  "`{name}` no admite ese valor. `/settings show name:{name}` dice qué admite.", \
	  "`{name}` non accetta quel valore. `/settings show name:{name}` dice che cosa accetta.") \
	P(SETTING_NAMES_MANY, \
	  "It names too many members. Nothing was changed.", \
	  "Darin stehen zu viele Mitglieder. Nichts wurde geändert.", \
	  "Nombra a demasiados miembros. No se cambió nada.", \
	  "Nomina troppi membri. Nulla è cambiato.") \
	P(SETTING_PAST_UNFIT, \
	  "The value of version {version} no longer fits `{name}`. Nothing was changed.", \
	  "Der Wert der Version {version} passt nicht mehr zu `{name}`. Nichts wurde geändert.", \
	  "El valor de la versión {version} ya no es válido para `{name}`. No se cambió nada.", \
	  "Il valore della versione {version} non è più valido per `{name}`. Nulla è cambiato.") \
	P(HISTORY_NOT_OWN, \
	  "A member's own settings have no history.", \
	  "Eigene Einstellungen eines Mitglieds haben keinen Verlauf.", \
	  "Los ajustes propios de un miembro no tienen historial.", \
	  "Le impostazioni personali di un membro non hanno cronologia.") \
	P(HISTORY_BACK, \
	  "(back to version {version})", \
	  "(zurück zur Version {version})", \
	  "(de vuelta a la versión {version})", \
	  "(ritorno alla versione {version})") \
	/* what may be no prefix */ \
	P(PREFIX_EMPTY, \
	  "The prefix can't be empty.", \
	  "Das Präfix darf nicht leer sein.", \
	  "El prefijo no puede estar vacío.", \
	  "Il prefisso non può essere vuoto.") \
	P(PREFIX_UNSEEN, \
	  "The prefix can't hold spaces, control characters or ones that can't be seen.", \
	  "Das Präfix darf keine Leerzeichen, Steuerzeichen oder unsichtbaren Zeichen enthalten.", \
	  "El prefijo no puede tener espacios, caracteres de control ni caracteres invisibles.", \
	  "Il prefisso non può contenere spazi, caratteri di controllo o caratteri invisibili.") \
	P(PREFIX_LONG, \
	  "The prefix can have {number} characters at most.", \
	  "Das Präfix darf höchstens {number} Zeichen haben.", \
	  "El prefijo puede tener como máximo {number} caracteres.", \
	  "Il prefisso può avere al massimo {number} caratteri.") \
	P(PREFIX_TICK, \
	  "The prefix can't hold a backtick: Discord shows what stands between two of them as code.", \
	  "Das Präfix darf keinen Backtick enthalten: Was zwischen zweien steht, zeigt Discord als Code.", \
	  "El prefijo no puede tener un acento grave: Discord muestra como código lo que hay entre dos.", \
	  "Il prefisso non può contenere un apice inverso: Discord mostra come codice ciò che sta tra due.") \
	P(PREFIX_SIGN, \
	  "The prefix can't begin with `/`, `<`, `@` or `#`: Discord uses those itself.", \
	  "Das Präfix darf nicht mit `/`, `<`, `@` oder `#` beginnen: Die benutzt Discord selbst.", \
	  "El prefijo no puede empezar con `/`, `<`, `@` ni `#`: los usa el propio Discord.", \
	  "Il prefisso non può iniziare con `/`, `<`, `@` o `#`: li usa Discord stesso.") \
	/* what is wrong with access.rules */ \
	P(RULES_SUBJECT, \
	  "Line {number} of the rules: a role, member or channel was wanted, as <@&1>, <@1> or <#1>.", \
	  "Zeile {number} der Regeln: Erwartet wird eine Rolle, ein Mitglied oder ein Kanal, als <@&1>, <@1> oder <#1>.", \
	  "Línea {number} de las reglas: se espera un rol, un miembro o un canal, como <@&1>, <@1> o <#1>.", \
	  "Riga {number} delle regole: serve un ruolo, un membro o un canale, come <@&1>, <@1> o <#1>.") \
	P(RULES_GRANT, \
	  "Line {number} of the rules: levels are given to roles and members alone.", \
	  "Zeile {number} der Regeln: Stufen bekommen nur Rollen und Mitglieder.", \
	  "Línea {number} de las reglas: los niveles solo se dan a roles y miembros.", \
	  "Riga {number} delle regole: i livelli si danno solo a ruoli e membri.") \
	P(RULES_NOBODY, \
	  "Line {number} of the rules: it names no role, member or channel.", \
	  "Zeile {number} der Regeln: Sie nennt keine Rolle, kein Mitglied und keinen Kanal.", \
	  "Línea {number} de las reglas: no nombra ningún rol, miembro ni canal.", \
	  "Riga {number} delle regole: non nomina ruoli, membri o canali.") \
	P(RULES_VERB, \
	  "Line {number} of the rules: it begins with grant, allow, deny or need.", \
	  "Zeile {number} der Regeln: Sie beginnt mit grant, allow, deny oder need.", \
	  "Línea {number} de las reglas: debe empezar con grant, allow, deny o need.", \
	  "Riga {number} delle regole: inizia con grant, allow, deny o need.") \
	P(RULES_SHORT, \
	  "Line {number} of the rules: it ends too soon.", \
	  "Zeile {number} der Regeln: Sie endet zu früh.", \
	  "Línea {number} de las reglas: termina demasiado pronto.", \
	  "Riga {number} delle regole: finisce troppo presto.") \
	P(RULES_NAME_LONG, \
	  "Line {number} of the rules: no command or module has so long a name.", \
	  "Zeile {number} der Regeln: So lang heißt kein Befehl und kein Modul.", \
	  "Línea {number} de las reglas: ningún comando ni módulo tiene un nombre tan largo.", \
	  "Riga {number} delle regole: nessun comando o modulo ha un nome così lungo.") \
	P(RULES_TARGET, \
	  "Line {number} of the rules: a rule is for all, for a module, or for a /command.", \
	  "Zeile {number} der Regeln: Eine Regel gilt für all, für ein Modul oder für einen /befehl.", \
	  "Línea {number} de las reglas: una regla es para all, para un módulo o para un /comando.", \
	  "Riga {number} delle regole: una regola vale per all, per un modulo o per un /comando.") \
	P(RULES_LEVELS, \
	  "Line {number} of the rules: the levels are trusted, helper, moderator and admin.", \
	  "Zeile {number} der Regeln: Die Stufen heißen trusted, helper, moderator und admin.", \
	  "Línea {number} de las reglas: los niveles son trusted, helper, moderator y admin.", \
	  "Riga {number} delle regole: i livelli sono trusted, helper, moderator e admin.") \
	P(RULES_BEHIND, \
	  "Line {number} of the rules: something stands behind the level.", \
	  "Zeile {number} der Regeln: Hinter der Stufe steht noch etwas.", \
	  "Línea {number} de las reglas: hay algo detrás del nivel.", \
	  "Riga {number} delle regole: c'è qualcosa dopo il livello.") \
	P(RULES_CANT, \
	  "Line {number} of the rules: that can't be.", \
	  "Zeile {number} der Regeln: Das geht so nicht.", \
	  "Línea {number} de las reglas: eso no puede ser.", \
	  "Riga {number} delle regole: così non si può.") \
	P(RULES_MANY, \
	  "There can be {number} entries at most.", \
	  "Es darf höchstens {number} Einträge geben.", \
	  "Puede haber como máximo {number} entradas.", \
	  "Possono esserci al massimo {number} voci.")
/* clang-format on */

#endif
