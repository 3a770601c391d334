import type { Broadcaster } from "@airwave/broadcast";
import type { Notice } from "./messages.ts";
import { LOBBY, RADIO_CHANNEL } from "./rooms.ts";
import type { Visitor } from "./visitors.ts";

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

/** The server itself talks, every few seconds, from one of the nodes. Dispose of it to end it. */
export function startRadio(broadcaster: Broadcaster<Visitor>, intervalMs: number): Disposable {
  const first = Math.floor(Math.random() * FACTS.length);
  let number = 0;
  const timer = setInterval(() => {
    speak(broadcaster, ++number, first).catch((error) => console.error(error.message));
  }, intervalMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function speak(
  broadcaster: Broadcaster<Visitor>,
  number: number,
  first: number,
): Promise<void> {
  const text = number % 4 === 0
    ? countedInWords((await broadcaster.presence(LOBBY.presence)).length)
    : FACTS[(first + number) % FACTS.length] ?? "";
  const data: Notice = { text, number };
  await broadcaster.publish(RADIO_CHANNEL, { event: "notice", data });
}

function countedInWords(people: number): string {
  return people === 1
    ? "One person is in the lobby now."
    : `${people} people are in the lobby now.`;
}
