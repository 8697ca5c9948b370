/* Phrases about who may do what: levels, lists, hierarchy, /permissions. One row each: id, English, German, Spanish,
 * Italian. */
#ifndef SHOAL_SHARED_PHRASES_ACCESS_H
#define SHOAL_SHARED_PHRASES_ACCESS_H

/* clang-format off */
#define ACCESS_PHRASES(P) \
	P(LEVEL_MEMBER, "member", "Mitglied", "miembro", "membro") \
	P(LEVEL_TRUSTED, "trusted", "vertraut", "de confianza", "di fiducia") \
	P(LEVEL_HELPER, "helper", "Helfer", "ayudante", "aiutante") \
	P(LEVEL_MODERATOR, "moderator", "Moderator", "moderador", "moderatore") \
	P(LEVEL_ADMIN, "admin", "Admin", "administrador", "amministratore") \
	P(LEVEL_OWNER, "owner", "Besitzer", "propietario", "proprietario") \
	P(LEVEL_OPERATOR, "operator of this bot", "Betreiber dieses Bots", "operador de este bot", "gestore di questo bot") \
	P(LEVEL_OWN, "the command's own", "die eigene des Befehls", "el del comando", "quello del comando") \
	P(LEVEL_NEEDED, \
	  "`{command}` is for those who are *{level}* here or higher. An admin of this server can give you that with `/permissions`.", \
	  "`{command}` ist für die Stufe *{level}* oder höher. Ein Admin dieses Servers kann sie dir mit `/permissions` geben.", \
	  "`{command}` es para el nivel *{level}* o superior. Un administrador del servidor puede dártelo con `/permissions`.", \
	  "`{command}` è per il livello *{level}* o superiore. Un amministratore del server può dartelo con `/permissions`.") \
	P(LEVEL_OR_PERMISSION_NEEDED, \
	  "You need the permission *{permission}* for `{command}`, or the level *{level}*, which an admin of this server can give you.", \
	  "Für `{command}` brauchst du die Berechtigung *{permission}* oder die Stufe *{level}*, die dir ein Admin dieses Servers geben kann.", \
	  "Para `{command}` necesitas el permiso *{permission}* o el nivel *{level}*, que un administrador del servidor puede darte.", \
	  "Per `{command}` ti serve il permesso *{permission}* o il livello *{level}*, che un amministratore del server può darti.") \
	P(LEVEL_UNSURE, \
	  "I can't look up just now what you may do in this server, because the database is away. Please try again later.", \
	  "Ich kann nicht nachsehen, was du auf diesem Server darfst, weil die Datenbank gerade nicht erreichbar ist. Bitte versuche es später.", \
	  "Ahora no puedo comprobar lo que puedes hacer en este servidor, porque la base de datos no está disponible. Inténtalo más tarde.", \
	  "Ora non posso controllare che cosa puoi fare in questo server, perché il database non è disponibile. Riprova più tardi.") \
	P(OPERATORS_ONLY, \
	  "`{command}` is for those who run this bot.", \
	  "`{command}` ist für die, die diesen Bot betreiben.", \
	  "`{command}` es para quienes operan este bot.", \
	  "`{command}` è per chi gestisce questo bot.") \
	P(LIST_OPERATOR, \
	  "The operator of this bot does not allow that.", \
	  "Der Betreiber dieses Bots lässt das nicht zu.", \
	  "El operador de este bot no lo permite.", \
	  "Il gestore di questo bot non lo permette.") \
	P(LIST_NOT_YOU, \
	  "In this server not everybody may use `{command}`. An admin here can change that with `/permissions`.", \
	  "Auf diesem Server darf nicht jeder `{command}` benutzen. Ein Admin kann das mit `/permissions` ändern.", \
	  "En este servidor no todos pueden usar `{command}`. Un administrador puede cambiarlo con `/permissions`.", \
	  "In questo server non tutti possono usare `{command}`. Un amministratore può cambiarlo con `/permissions`.") \
	P(LIST_NOT_HERE, \
	  "`{command}` does not work in this channel. Please use another one.", \
	  "`{command}` geht in diesem Kanal nicht. Bitte nimm einen anderen.", \
	  "`{command}` no funciona en este canal. Usa otro, por favor.", \
	  "`{command}` non funziona in questo canale. Usane un altro, per favore.") \
	P(LIST_ELSEWHERE, \
	  "`{command}` does not work in this channel, but in {channels}.", \
	  "`{command}` geht nicht in diesem Kanal, aber in {channels}.", \
	  "`{command}` no funciona en este canal, pero sí en {channels}.", \
	  "`{command}` non funziona in questo canale, ma in {channels}.") \
	P(ACT_GUILD_UNKNOWN, \
	  "I don't know this server well enough just now. Please try again in a moment.", \
	  "Ich kenne diesen Server gerade nicht gut genug. Bitte versuche es gleich noch einmal.", \
	  "Ahora mismo no conozco bien este servidor. Inténtalo de nuevo en un momento.", \
	  "Al momento non conosco abbastanza questo server. Riprova tra poco.") \
	P(ACT_NO_MEMBER, \
	  "{target} is not in this server.", \
	  "{target} ist nicht auf diesem Server.", \
	  "{target} no está en este servidor.", \
	  "{target} non è in questo server.") \
	P(ACT_SELF, \
	  "You can't do that to yourself.", \
	  "Das kannst du nicht mit dir selbst machen.", \
	  "No puedes hacerte eso a ti mismo.", \
	  "Non puoi farlo a te stesso.") \
	P(ACT_BOT, \
	  "I can't do that to myself.", \
	  "Das kann ich nicht mit mir selbst machen.", \
	  "No puedo hacerme eso a mí mismo.", \
	  "Non posso farlo a me stesso.") \
	P(ACT_OWNER, \
	  "{target} owns this server; nobody can do that.", \
	  "{target} besitzt diesen Server; das kann niemand.", \
	  "{target} es quien posee este servidor; nadie puede hacerlo.", \
	  "{target} possiede questo server; nessuno può farlo.") \
	P(ACT_ADMINISTRATOR, \
	  "{target} has the permission *Administrator*: Discord times no such member out.", \
	  "{target} hat die Berechtigung *Administrator*: Discord schickt solche Mitglieder nicht in den Timeout.", \
	  "{target} tiene el permiso *Administrador*: Discord no permite aislar a esos miembros.", \
	  "{target} ha il permesso *Amministratore*: Discord non mette in timeout questi membri.") \
	P(ACT_YOU_LACK, \
	  "You need the permission *{permission}* for that.", \
	  "Dafür brauchst du die Berechtigung *{permission}*.", \
	  "Para eso necesitas el permiso *{permission}*.", \
	  "Per questo ti serve il permesso *{permission}*.") \
	P(ACT_ABOVE_YOU, \
	  "{target} stands above you, or beside you: your highest role must be above theirs.", \
	  "{target} steht über dir oder neben dir: Deine höchste Rolle muss darüber liegen.", \
	  "{target} está por encima de ti o a tu altura: tu rol más alto debe estar por encima.", \
	  "{target} sta sopra di te o accanto a te: il tuo ruolo più alto deve stare sopra il suo.") \
	P(ACT_ROLE_ABOVE_YOU, \
	  "{role} stands above you: you can only give and take roles below your highest one.", \
	  "{role} steht über dir: Du kannst nur Rollen unter deiner höchsten geben und nehmen.", \
	  "{role} está por encima de ti: solo puedes dar y quitar roles por debajo de tu rol más alto.", \
	  "{role} sta sopra di te: puoi dare e togliere solo ruoli sotto il tuo più alto.") \
	P(ACT_ROLE_GONE, \
	  "That role does not exist any more.", \
	  "Diese Rolle gibt es nicht mehr.", \
	  "Ese rol ya no existe.", \
	  "Quel ruolo non esiste più.") \
	P(ACT_ROLE_EVERYONE, \
	  "Everybody has that role; it can't be given or taken.", \
	  "Diese Rolle haben alle; man kann sie nicht geben oder nehmen.", \
	  "Todos tienen ese rol; no se puede dar ni quitar.", \
	  "Tutti hanno quel ruolo; non si può dare né togliere.") \
	P(ACT_ROLE_MANAGED, \
	  "{role} belongs to an integration, a bot or the boosters; nobody can give or take it by hand.", \
	  "{role} gehört zu einer Integration, einem Bot oder den Boostern; von Hand kann man sie nicht geben oder nehmen.", \
	  "{role} pertenece a una integración, un bot o los boosters; no se puede dar ni quitar a mano.", \
	  "{role} appartiene a un'integrazione, a un bot o ai booster; non si può dare o togliere a mano.") \
	P(ACT_I_LACK, \
	  "I need the permission *{permission}* for that. An admin can give it to my role.", \
	  "Dafür brauche ich die Berechtigung *{permission}*. Ein Admin kann sie meiner Rolle geben.", \
	  "Para eso necesito el permiso *{permission}*. Un administrador puede dárselo a mi rol.", \
	  "Per questo mi serve il permesso *{permission}*. Un amministratore può darlo al mio ruolo.") \
	P(ACT_ABOVE_ME, \
	  "{target} stands above me, or beside me. An admin can move my role up in the list of roles.", \
	  "{target} steht über mir oder neben mir. Ein Admin kann meine Rolle in der Liste nach oben schieben.", \
	  "{target} está por encima de mí o a mi altura. Un administrador puede subir mi rol en la lista.", \
	  "{target} sta sopra di me o accanto a me. Un amministratore può spostare in alto il mio ruolo.") \
	P(ACT_ROLE_ABOVE_ME, \
	  "{role} stands above me. An admin can move my role up in the list of roles.", \
	  "{role} steht über mir. Ein Admin kann meine Rolle in der Liste nach oben schieben.", \
	  "{role} está por encima de mí. Un administrador puede subir mi rol en la lista.", \
	  "{role} sta sopra di me. Un amministratore può spostare in alto il mio ruolo.")
/* clang-format on */

#endif
