/* What Discord's own interface calls its permissions, so that people find them where we send them. One row each: id,
 * English, German, Spanish, Italian. The ids are those of SHOAL_PERMISSIONS() (<shoal/permissions.h>). */
#ifndef SHOAL_SHARED_PHRASES_PERMISSION_NAMES_H
#define SHOAL_SHARED_PHRASES_PERMISSION_NAMES_H

/* clang-format off */
#define PERMISSION_NAME_PHRASES(P) \
	P(PERMISSION_CREATE_INSTANT_INVITE, "Create Invite", "Einladung erstellen", "Crear invitación", "Crea invito") \
	P(PERMISSION_KICK_MEMBERS, "Kick Members", "Mitglieder kicken", "Expulsar miembros", "Espelli membri") \
	P(PERMISSION_BAN_MEMBERS, "Ban Members", "Mitglieder bannen", "Banear miembros", "Bandisci membri") \
	P(PERMISSION_ADMINISTRATOR, "Administrator", "Administrator", "Administrador", "Amministratore") \
	P(PERMISSION_MANAGE_CHANNELS, "Manage Channels", "Kanäle verwalten", "Gestionar canales", "Gestisci canali") \
	P(PERMISSION_MANAGE_GUILD, "Manage Server", "Server verwalten", "Gestionar servidor", "Gestisci server") \
	P(PERMISSION_ADD_REACTIONS, "Add Reactions", "Reaktionen hinzufügen", "Añadir reacciones", "Aggiungi reazioni") \
	P(PERMISSION_VIEW_AUDIT_LOG, "View Audit Log", "Audit-Log einsehen", "Ver el registro de auditoría", "Visualizza registro attività") \
	P(PERMISSION_PRIORITY_SPEAKER, "Priority Speaker", "Very Important Speaker", "Prioridad de palabra", "Priorità di parola") \
	P(PERMISSION_STREAM, "Video", "Video", "Vídeo", "Video") \
	P(PERMISSION_VIEW_CHANNEL, "View Channels", "Kanäle ansehen", "Ver canales", "Visualizza canali") \
	P(PERMISSION_SEND_MESSAGES, "Send Messages", "Nachrichten senden", "Enviar mensajes", "Invia messaggi") \
	P(PERMISSION_SEND_TTS_MESSAGES, "Send Text-to-Speech Messages", "Text-zu-Sprache-Nachrichten senden", "Enviar mensajes de texto a voz", "Invia messaggi di sintesi vocale") \
	P(PERMISSION_MANAGE_MESSAGES, "Manage Messages", "Nachrichten verwalten", "Gestionar mensajes", "Gestisci messaggi") \
	P(PERMISSION_EMBED_LINKS, "Embed Links", "Links einbetten", "Insertar enlaces", "Incorpora link") \
	P(PERMISSION_ATTACH_FILES, "Attach Files", "Dateien anhängen", "Adjuntar archivos", "Allega file") \
	P(PERMISSION_READ_MESSAGE_HISTORY, "Read Message History", "Nachrichtenverlauf anzeigen", "Leer el historial de mensajes", "Leggi la cronologia dei messaggi") \
	P(PERMISSION_MENTION_EVERYONE, "Mention Everyone", "Alle erwähnen", "Mencionar a todos", "Menziona tutti") \
	P(PERMISSION_USE_EXTERNAL_EMOJIS, "Use External Emoji", "Externe Emojis verwenden", "Usar emojis externos", "Usa emoji esterne") \
	P(PERMISSION_VIEW_GUILD_INSIGHTS, "View Server Insights", "Server-Einblicke ansehen", "Ver datos del servidor", "Visualizza approfondimenti del server") \
	P(PERMISSION_CONNECT, "Connect", "Verbinden", "Conectar", "Connettiti") \
	P(PERMISSION_SPEAK, "Speak", "Sprechen", "Hablar", "Parla") \
	P(PERMISSION_MUTE_MEMBERS, "Mute Members", "Mitglieder stummschalten", "Silenciar miembros", "Silenzia membri") \
	P(PERMISSION_DEAFEN_MEMBERS, "Deafen Members", "Ein- und Ausgabe von Mitgliedern deaktivieren", "Ensordecer miembros", "Silenzia l'audio dei membri") \
	P(PERMISSION_MOVE_MEMBERS, "Move Members", "Mitglieder verschieben", "Mover miembros", "Sposta membri") \
	P(PERMISSION_USE_VAD, "Use Voice Activity", "Sprachaktivierung verwenden", "Usar actividad de voz", "Usa attività vocale") \
	P(PERMISSION_CHANGE_NICKNAME, "Change Nickname", "Nickname ändern", "Cambiar apodo", "Cambia nickname") \
	P(PERMISSION_MANAGE_NICKNAMES, "Manage Nicknames", "Nicknames verwalten", "Gestionar apodos", "Gestisci nickname") \
	P(PERMISSION_MANAGE_ROLES, "Manage Roles", "Rollen verwalten", "Gestionar roles", "Gestisci ruoli") \
	P(PERMISSION_MANAGE_WEBHOOKS, "Manage Webhooks", "WebHooks verwalten", "Gestionar webhooks", "Gestisci webhook") \
	P(PERMISSION_MANAGE_GUILD_EXPRESSIONS, "Manage Expressions", "Ausdrücke verwalten", "Gestionar expresiones", "Gestisci espressioni") \
	P(PERMISSION_USE_APPLICATION_COMMANDS, "Use Application Commands", "Anwendungsbefehle verwenden", "Usar comandos de aplicaciones", "Usa comandi dell'applicazione") \
	P(PERMISSION_REQUEST_TO_SPEAK, "Request to Speak", "Redeanfrage stellen", "Solicitar hablar", "Richiedi di parlare") \
	P(PERMISSION_MANAGE_EVENTS, "Manage Events", "Events verwalten", "Gestionar eventos", "Gestisci eventi") \
	P(PERMISSION_MANAGE_THREADS, "Manage Threads", "Threads verwalten", "Gestionar hilos", "Gestisci thread") \
	P(PERMISSION_CREATE_PUBLIC_THREADS, "Create Public Threads", "Öffentliche Threads erstellen", "Crear hilos públicos", "Crea thread pubblici") \
	P(PERMISSION_CREATE_PRIVATE_THREADS, "Create Private Threads", "Private Threads erstellen", "Crear hilos privados", "Crea thread privati") \
	P(PERMISSION_USE_EXTERNAL_STICKERS, "Use External Stickers", "Externe Sticker verwenden", "Usar pegatinas externas", "Usa adesivi esterni") \
	P(PERMISSION_SEND_MESSAGES_IN_THREADS, "Send Messages in Threads", "Nachrichten in Threads senden", "Enviar mensajes en hilos", "Invia messaggi nei thread") \
	P(PERMISSION_USE_EMBEDDED_ACTIVITIES, "Use Activities", "Aktivitäten verwenden", "Usar actividades", "Usa attività") \
	P(PERMISSION_MODERATE_MEMBERS, "Timeout Members", "Mitglieder in den Timeout schicken", "Aislar temporalmente a miembros", "Metti membri in timeout") \
	P(PERMISSION_VIEW_CREATOR_MONETIZATION_ANALYTICS, "View Monetization Analytics", "Monetarisierungsdaten ansehen", "Ver datos de monetización", "Visualizza dati sulla monetizzazione") \
	P(PERMISSION_USE_SOUNDBOARD, "Use Soundboard", "Soundboard verwenden", "Usar la mesa de sonidos", "Usa la soundboard") \
	P(PERMISSION_CREATE_GUILD_EXPRESSIONS, "Create Expressions", "Ausdrücke erstellen", "Crear expresiones", "Crea espressioni") \
	P(PERMISSION_CREATE_EVENTS, "Create Events", "Events erstellen", "Crear eventos", "Crea eventi") \
	P(PERMISSION_USE_EXTERNAL_SOUNDS, "Use External Sounds", "Externe Sounds verwenden", "Usar sonidos externos", "Usa suoni esterni") \
	P(PERMISSION_SEND_VOICE_MESSAGES, "Send Voice Messages", "Sprachnachrichten senden", "Enviar mensajes de voz", "Invia messaggi vocali") \
	P(PERMISSION_SET_VOICE_CHANNEL_STATUS, "Set Voice Channel Status", "Sprachkanal-Status festlegen", "Definir el estado del canal de voz", "Imposta lo stato del canale vocale") \
	P(PERMISSION_SEND_POLLS, "Create Polls", "Umfragen erstellen", "Crear encuestas", "Crea sondaggi") \
	P(PERMISSION_USE_EXTERNAL_APPS, "Use External Apps", "Externe Apps verwenden", "Usar aplicaciones externas", "Usa app esterne") \
	P(PERMISSION_PIN_MESSAGES, "Pin Messages", "Nachrichten anpinnen", "Fijar mensajes", "Fissa messaggi") \
	P(PERMISSION_BYPASS_SLOWMODE, "Bypass Slowmode", "Slowmode umgehen", "Omitir el modo lento", "Ignora la modalità lenta")
/* clang-format on */

#endif
