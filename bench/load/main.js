/**
 * The load: connects, subscribes, has events published and counts what arrives. A message that is
 * lost, comes twice or out of order fails the run. Takes a JSON argument and prints a JSON line.
 */
import net from "node:net";
import process from "node:process";
import { Connection } from "./connection.js";
import { cpuSeconds, residentBytes } from "./cpu.js";
import { DIALECTS } from "./dialects.js";
import { Histogram } from "./histogram.js";

const { scenario, dialect: dialectName, port, controlPort, pid } = JSON.parse(process.argv[2]);
const dialect = DIALECTS[dialectName];
const { clients, channels, channelsPerClient } = scenario;

/** How many connections are under way at once. */
const CONNECTING = 100;
/** How long nothing may arrive while something is due. */
const PATIENCE_MS = 15_000;

const names = Array.from({ length: channels }, (_, i) => `c${String(i).padStart(3, "0")}`);
/** How many hold each channel. */
const subscribers = new Uint32Array(channels);
/** How many have yet to receive an event, by its number. */
const missing = new Int32Array(1 << 20);
const scheduledAtMs = new Float64Array(missing.length);
const MASK = missing.length - 1;

let sequence = 0;
let delivered = 0;
let completed = 0;
let reads = 0;
let nowMs = 0;
let lines = "";
let onComplete = () => {};
let latency = new Histogram();

function fail(why) {
  console.error(why);
  process.exit(1);
}

process.on("uncaughtException", (error) => fail(error.stack));

/** The channels of a client: spread so that all have as many subscribers. */
function channelsOf(client) {
  return Array.from({ length: channelsPerClient }, (_, j) => (client + j * 7) % channels);
}

function onSequence(connection, number) {
  if (number <= connection.last) {
    fail(`Event ${number} came after ${connection.last}: twice, or out of order`);
  }
  connection.last = number;
  connection.count++;
  delivered++;
  const i = number & MASK;
  if (scenario.perSecond !== undefined) {
    if (nowMs === 0) nowMs = performance.now();
    latency.add(nowMs - scheduledAtMs[i]);
  }
  if (--missing[i] === 0) {
    completed++;
    onComplete();
  }
}

/** What is published while a read is worked off leaves in one piece. */
function onRead() {
  reads++;
  nowMs = 0;
  flush();
}

function flush() {
  if (lines === "") return;
  control.write(lines);
  lines = "";
}

function publish(dueMs) {
  const channel = sequence % channels;
  sequence++;
  missing[sequence & MASK] = subscribers[channel];
  scheduledAtMs[sequence & MASK] = dueMs;
  lines += `${String(sequence).padStart(8, "0")}${names[channel]}\n`;
}

function connect(client) {
  const own = channelsOf(client);
  for (const channel of own) subscribers[channel]++;
  return new Promise((resolve) => {
    let due = dialect.answers(own);
    const connection = new Connection(port, dialect.path, {
      onText(connection, text) {
        const pong = dialect.pong(text);
        if (pong !== undefined) return connection.send(pong);
        const greeting = dialect.greet?.(text);
        if (greeting !== undefined) return connection.send(greeting);
        if (dialect.isWelcome?.(text)) return subscribe(connection);
        if (!dialect.isLive(text)) return fail(`Unexpected: ${text.slice(0, 200)}`);
        // Answers of revision 2 may come as a batch.
        due -= text.startsWith("[") ? JSON.parse(text).length : 1;
        if (due > 0) return;
        connection.startCounting();
        resolve(connection);
      },
      onSequence,
      onRead,
      onEnd: (_, why) => fail(`Connection ${client} ended: ${why}`),
    });
    const subscribe = (connection) => {
      for (const text of dialect.subscribe(own.map((channel) => names[channel]))) {
        connection.send(text);
      }
    };
    if (dialect.isWelcome === undefined) subscribe(connection);
  });
}

async function connectAll() {
  const connections = [];
  let next = 0;
  const work = async () => {
    while (next < clients) connections.push(await connect(next++));
  };
  await Promise.all(Array.from({ length: CONNECTING }, work));
  return connections;
}

/** Keeps as many events outstanding as the scenario says, for a time, and waits for the last. */
function runClosed(ms) {
  return new Promise((resolve) => {
    const endMs = performance.now() + ms;
    const first = completed;
    const from = sequence;
    let isOver = false;
    onComplete = () => {
      isOver ||= performance.now() >= endMs;
      if (!isOver) publish(0);
      else if (completed - first === sequence - from) resolve();
    };
    for (let i = 0; i < scenario.outstanding; i++) publish(0);
    flush();
  });
}

/** Publishes at the scheduled times, however the server keeps up, and waits for the last. */
function runPaced(ms) {
  return new Promise((resolve) => {
    const fanOut = clients * channelsPerClient / channels;
    const everyMs = 1000 * fanOut / scenario.perSecond;
    const startMs = performance.now() + 10;
    const total = Math.floor(ms / everyMs);
    const first = completed;
    let published = 0;
    onComplete = () => completed - first === total && resolve();
    const tick = () => {
      while (published < total && startMs + published * everyMs <= performance.now()) {
        publish(startMs + published++ * everyMs);
      }
      flush();
      if (published < total) setTimeout(tick, 1);
    };
    tick();
  });
}

/** Fails where nothing moves any more. */
function watch() {
  let seen = -1;
  setInterval(() => {
    if (seen === delivered && sequence !== completed) {
      fail(`Lost: ${sequence - completed} events did not reach everybody`);
    }
    seen = delivered;
  }, PATIENCE_MS).unref();
}

const started = { atMs: performance.now(), cpu: cpuSeconds(pid), bytes: residentBytes(pid) };
const control = net.connect({ port: controlPort, host: "127.0.0.1", noDelay: true });
const ownCpuAtStart = process.cpuUsage();
const connections = await connectAll();
const connected = { atMs: performance.now(), cpu: cpuSeconds(pid) };
const ownCpuConnecting = process.cpuUsage(ownCpuAtStart);

const result = {
  connects: {
    perSecond: clients * 1000 / (connected.atMs - started.atMs),
    serverCpuMicros: (connected.cpu - started.cpu) * 1e6 / clients,
    loadCpuShare: (ownCpuConnecting.user + ownCpuConnecting.system) / 1000 /
      (connected.atMs - started.atMs),
  },
};

if (scenario.idleMs !== undefined) {
  await new Promise((resolve) => setTimeout(resolve, scenario.idleMs));
  result.bytesPerConnection = (residentBytes(pid) - started.bytes) / clients;
} else {
  watch();
  const run = scenario.perSecond === undefined ? runClosed : runPaced;
  await run(scenario.warmUpMs);
  latency = new Histogram();
  const before = {
    reads,
    atMs: performance.now(),
    cpu: cpuSeconds(pid),
    delivered,
    own: process.cpuUsage(),
  };
  await run(scenario.measureMs);
  const ms = performance.now() - before.atMs;
  const own = process.cpuUsage(before.own);
  const messages = delivered - before.delivered;
  const serverCpu = cpuSeconds(pid) - before.cpu;
  Object.assign(result, {
    messages,
    messagesPerRead: messages / (reads - before.reads),
    perSecond: messages * 1000 / ms,
    serverCpuMicros: serverCpu * 1e6 / messages,
    serverCpuShare: serverCpu * 1000 / ms,
    loadCpuShare: (own.user + own.system) / 1000 / ms,
    latencyMs: scenario.perSecond === undefined ? undefined : latency.summary(),
  });
  // Every event was counted down to nobody; every client must have had its share as well.
  const due = new Uint32Array(channels);
  for (let i = 0; i < sequence; i++) due[i % channels]++;
  for (const [count, expected] of expectedCounts(due)) {
    if (count !== expected) fail(`A client had ${count} events instead of ${expected}`);
  }
}

/** What each client received and should have; connections are in the order they became live. */
function expectedCounts(due) {
  const had = connections.map(({ count }) => count).sort((a, b) => a - b);
  const should = Array.from(
    { length: clients },
    (_, client) => channelsOf(client).reduce((sum, channel) => sum + due[channel], 0),
  ).sort((a, b) => a - b);
  return had.map((count, i) => [count, should[i]]);
}

console.log(JSON.stringify(result));
process.exit(0);
