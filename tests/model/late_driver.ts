import type {
  BroadcastDriver,
  ChannelSink,
  DriverAbilities,
  DriverSubscription,
  EventRecord,
  HistoryRead,
  Position,
} from "@airwave/broadcast";

/** Every so many events one comes twice, and every so many a few are missed in an outage. */
const TWICE_EVERY = 5;
const OUTAGE_EVERY = 11;

/**
 * A driver with all that a remote one may do: whatever it says comes some turns later, events come
 * twice, and after an outage it tells of the new top only.
 */
export class LateDriver implements BroadcastDriver {
  readonly abilities: DriverAbilities;
  readonly #inner: BroadcastDriver;
  #calls = 0;
  #events = 0;

  constructor(inner: BroadcastDriver) {
    this.#inner = inner;
    this.abilities = inner.abilities;
  }

  async publish(channel: string, record: EventRecord): Promise<Position | undefined> {
    await this.#later();
    const position = await this.#inner.publish(channel, record);
    await this.#later();
    return position;
  }

  async subscribe(channel: string, sink: ChannelSink): Promise<DriverSubscription> {
    let isOpen = true;
    let said = Promise.resolve();
    const say = (call: () => void) => {
      said = said.then(() => this.#later()).then(() => {
        if (isOpen) call();
      });
    };
    let top: Position | undefined;
    let isDeaf = false;
    const goDeaf = async () => {
      isDeaf = true;
      await this.#later();
      isDeaf = false;
      say(() => sink.live(top));
    };
    await this.#later();
    const inner = await this.#inner.subscribe(channel, {
      live: (top) => say(() => sink.live(top)),
      event: (record, position) => {
        const nth = ++this.#events;
        top = position;
        if (nth % OUTAGE_EVERY === 0 && !isDeaf) goDeaf();
        if (isDeaf) return;
        say(() => sink.event(record, position));
        if (nth % TWICE_EVERY === 0) say(() => sink.event(record, position));
      },
    });
    await said;
    return {
      close: async () => {
        isOpen = false;
        await this.#later();
        await inner.close();
      },
    };
  }

  async read(channel: string, after: Position): Promise<HistoryRead> {
    await this.#later();
    const read = await this.#inner.read(channel, after);
    await this.#later();
    return read;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Another number of turns each time, the same in every run. */
  async #later(): Promise<void> {
    const turns = (++this.#calls * 7) % 12;
    for (let turn = 0; turn < turns; turn++) await undefined;
  }
}
