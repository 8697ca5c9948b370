// A bot on discord.js that says on stdout, one JSON line each, what it sees, and does on stdin what it is told.
// Started by test_discordjs.py; its settings are one JSON object in the first argument:
//   {api, token, shards, intents: [names], throttle: false to identify without waiting}
'use strict';

const readline = require('node:readline');
const { Client, Events, GatewayIntentBits, version } = require('discord.js');

const settings = JSON.parse(process.argv[2]);

function say(what, more = {}) {
  process.stdout.write(JSON.stringify({ what, ...more }) + '\n');
}

const ws = {};
if (settings.throttle === false) ws.buildIdentifyThrottler = async () => ({ waitForIdentify: async () => {} });

const client = new Client({
  shards: Array.from({ length: settings.shards }, (_, i) => i),
  shardCount: settings.shards,
  intents: settings.intents.map((name) => GatewayIntentBits[name]),
  rest: { api: settings.api.replace(/\/v10$/, ''), version: '10', retries: 0 },
  ws,
});

client.on(Events.Raw, (packet, shard) => {
  if (packet.op === 0)
    say('dispatch', { shard, t: packet.t, s: packet.s, id: packet.d && packet.d.id });
});
client.on(Events.ShardReady, (shard) => say('shard_ready', { shard }));
client.on(Events.ShardResume, (shard, replayed) => say('shard_resume', { shard, replayed }));
client.on(Events.ShardDisconnect, (event, shard) => say('shard_disconnect', { shard, code: event.code }));
client.on(Events.ShardReconnecting, (shard) => say('shard_reconnecting', { shard }));
client.on(Events.ShardError, (error, shard) => say('shard_error', { shard, message: error.message }));
client.on(Events.Error, (error) => say('error', { message: error.message }));
client.on(Events.Debug, (text) => {
  if (/Invalid|invalid/.test(text)) say('debug', { text: text.slice(0, 200) });
});

client.on(Events.ClientReady, () =>
  say('ready', {
    version,
    user: client.user.id,
    guilds: client.guilds.cache.size,
    channels: client.channels.cache.size,
  }),
);

client.on(Events.MessageCreate, async (message) => {
  if (message.author.bot) return;
  say('message', { id: message.id, guild: message.guildId, content: message.content, author: message.author.username });
  if (message.content === '!ping') {
    const reply = await message.reply('pong');
    say('replied', { to: message.id, id: reply.id });
  }
});

client.on(Events.InteractionCreate, async (interaction) => {
  if (!interaction.isChatInputCommand()) return;
  say('interaction', {
    id: interaction.id,
    name: interaction.commandName,
    guild: interaction.guild && interaction.guild.name,
    text: interaction.options.getString('text'),
  });
  try {
    if (interaction.commandName === 'slow') {
      await interaction.deferReply();
      await interaction.editReply('done');
      await interaction.followUp('and more');
    } else {
      const answer = await interaction.reply({ content: 'pong', withResponse: true });
      say('answered', { id: interaction.id, message: answer.resource && answer.resource.message.id });
    }
  } catch (error) {
    say('refused', { id: interaction.id, code: error.code, message: error.message });
  }
});

const verbs = {
  async commands(list) {
    const set = await client.application.commands.set(list);
    say('commands', { names: set.map((one) => one.name), ids: set.map((one) => one.id) });
  },
  async members({ guild }) {
    const members = await client.guilds.cache.get(guild).members.fetch();
    say('members', { count: members.size });
  },
  async send({ channel, content }) {
    const message = await (await client.channels.fetch(channel)).send(content);
    say('sent', { id: message.id });
  },
  async exit() {
    await client.destroy();
    process.exit(0);
  },
};

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { verb, ...more } = JSON.parse(line);
  try {
    await verbs[verb](more.args ?? more);
  } catch (error) {
    say('verb_failed', { verb, code: error.code, message: error.message });
  }
});

process.on('unhandledRejection', (error) => say('rejection', { message: String(error && error.message) }));

client.login(settings.token).then(
  () => say('logged_in'),
  (error) => {
    say('login_failed', { code: error.code, message: error.message });
    process.exit(1);
  },
);
