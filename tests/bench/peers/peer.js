// A bot on another library, to be measured: it takes what comes, counts its messages, and says on each line of stdin
// what it has used. Started by tests/bench/run; its settings are one JSON object in the first argument:
//   {library: "@discordjs/ws" | "discord.js", caches: "default" | "limited",
//    compress: "none" | "zlib-sync" | "zlib-native", api, token, intents}
// Says on stdout, a JSON line each: {what: "ready", version, node}, then for each line read {what: "usage", user_us,
// system_us, sequence, messages, rss_bytes}; or {what: "failed", message} and ends.
'use strict';

const Module = require('node:module');
const path = require('node:path');
const readline = require('node:readline');

const settings = JSON.parse(process.argv[2]);
let messages = 0;
let sequence = () => 0;

function say(what, more = {}) {
  process.stdout.write(JSON.stringify({ what, ...more }) + '\n');
}

function fail(error) {
  say('failed', { message: String((error && error.message) || error) });
  process.exit(1);
}

// Both libraries compress when they find this module; without compression it must not be found.
if (settings.compress !== 'zlib-sync') {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (name, ...more) {
    if (name === 'zlib-sync') throw Object.assign(new Error('left out by the bench'), { code: 'MODULE_NOT_FOUND' });
    return resolve.call(this, name, ...more);
  };
} else {
  require('zlib-sync'); // said aloud when it is not there
}

// The newest @discordjs/ws wants Node 20; an older Node gets the one that discord.js itself brings.
function wsPackage() {
  if (Number(process.versions.node.split('.')[0]) >= 20) return require('@discordjs/ws');
  return require(require.resolve('@discordjs/ws', { paths: [path.dirname(require.resolve('discord.js'))] }));
}

const root = settings.api.replace(/\/v10$/, '');

async function runWs() {
  const { WebSocketManager, WebSocketShardEvents, CompressionMethod, version } = wsPackage();
  const { REST } = require('@discordjs/rest');
  const compression = {
    none: null,
    'zlib-sync': CompressionMethod.ZlibSync ?? CompressionMethod.ZlibStream,
    'zlib-native': CompressionMethod.ZlibNative,
  };
  if (compression[settings.compress] === undefined) throw new Error(`version ${version} has no ${settings.compress}`);
  let last = 0;
  const manager = new WebSocketManager({
    token: settings.token,
    intents: settings.intents,
    rest: new REST({ api: root, version: '10' }).setToken(settings.token),
    shardCount: 1,
    compression: compression[settings.compress],
  });
  manager.on(WebSocketShardEvents.Dispatch, (event) => {
    const payload = event.data ?? event; // version 1 wraps it
    last = payload.s;
    if (payload.t === 'MESSAGE_CREATE') messages++;
  });
  manager.on(WebSocketShardEvents.Error, fail);
  sequence = () => last;
  await new Promise((resolve, reject) => {
    manager.once(WebSocketShardEvents.Ready, resolve);
    manager.connect().catch(reject);
  });
  return version;
}

async function runDiscordJs() {
  const { Client, Events, Options, version } = require('discord.js');
  const none = Object.fromEntries(
    ['AutoModerationRuleManager', 'BaseGuildEmojiManager', 'GuildBanManager', 'GuildEmojiManager', 'GuildInviteManager',
      'GuildScheduledEventManager', 'GuildStickerManager', 'MessageManager', 'PresenceManager', 'ReactionManager',
      'ReactionUserManager', 'StageInstanceManager', 'ThreadManager', 'ThreadMemberManager', 'UserManager',
      'VoiceStateManager'].map((name) => [name, 0]),
  );
  const client = new Client({
    shards: [0],
    shardCount: 1,
    intents: settings.intents,
    rest: { api: root, version: '10' },
    ...(settings.caches === 'limited' && {
      makeCache: Options.cacheWithLimits({
        ...none,
        GuildMemberManager: { maxSize: 1, keepOverLimit: (member) => member.id === member.client.user.id },
      }),
    }),
  });
  client.on(Events.MessageCreate, () => messages++);
  client.on(Events.Error, fail);
  await new Promise((resolve, reject) => {
    client.once(Events.ClientReady, resolve);
    client.login(settings.token).catch(reject);
  });
  sequence = () => client.ws.shards.get(0).sessionInfo.sequence;
  return version;
}

readline.createInterface({ input: process.stdin }).on('line', () => {
  const used = process.cpuUsage();
  say('usage', {
    user_us: used.user,
    system_us: used.system,
    sequence: sequence(),
    messages,
    rss_bytes: process.memoryUsage.rss(),
  });
}).on('close', () => process.exit(0));

process.on('unhandledRejection', fail);

const runs = { '@discordjs/ws': runWs, 'discord.js': runDiscordJs };
runs[settings.library]().then((version) => say('ready', { version, node: process.versions.node }), fail);
