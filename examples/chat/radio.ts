import type { Broadcaster } from "@airwave/broadcast";
import type { Notice } from "./messages.ts";
import { LOBBY } from "./rooms.ts";
import type { Session } from "./sessions.ts";

const INTERVAL_MS = 5_000;

const FACTS = [
  "Radio waves could circle the Earth seven times a second.",
  "An octopus has three hearts and blue blood.",
  "A day on Venus is longer than its year.",
  "To a botanist a banana is a berry, and a strawberry is not.",
  "Sound is four times as fast in water as in air.",
  "A common swift can stay in the air for ten months.",
  "The waves of an FM station are about three metres long.",
  "Sunlight takes over eight minutes to reach us.",
  "The Moon moves away from us by almost 4 cm a year.",
  "Sea otters wrap themselves in kelp to sleep without drifting.",
  "An ordinary fair-weather cloud weighs about 500 tonnes.",
  "The first radio signal across the Atlantic was an S in Morse.",
  "Oxford’s university is older than the capital of the Aztecs.",
];

/** Talks in the lobby every few seconds, from the server itself. Dispose of it to end it. */
export function startRadio(
  broadcaster: Broadcaster<Session>,
  countConnections: () => number,
): Disposable {
  let turn = Math.floor(Math.random() * FACTS.length);
  const timer = setInterval(() => {
    turn++;
    const text = turn % 4 === 0
      ? countedInWords(countConnections())
      : FACTS[turn % FACTS.length] ?? "";
    const data: Notice = { text };
    broadcaster.publish(LOBBY.channel, { event: "notice", data }).catch(console.error);
  }, INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function countedInWords(count: number): string {
  return count === 1
    ? "You are the only one connected to this server now."
    : `${count} pages are connected to this server now.`;
}
