import type {
  BroadcastDriver,
  ChannelSink,
  DriverSubscription,
  EventRecord,
  HistoryRead,
  Position,
} from "@airwave/broadcast";

type Deferred<T> = PromiseWithResolvers<T>;

interface Opening {
  readonly channel: string;
  readonly sink: ChannelSink;
  /** Resolves or rejects the driver's `subscribe`. */
  readonly answer: Deferred<DriverSubscription>;
  /** Resolves the subscription's `close`. */
  readonly closed: Deferred<void>;
  closeAsked: boolean;
}

/** A driver whose every answer is given by the test, in the order the test wants. */
export class ScriptedDriver implements BroadcastDriver {
  readonly abilities = { history: true, multiNode: false };
  readonly openings: Opening[] = [];
  readonly reads: { readonly after: Position; readonly answer: Deferred<HistoryRead> }[] = [];
  closed = false;

  publish(_channel: string, _record: EventRecord): Promise<Position | undefined> {
    return Promise.reject(new Error("The store is down"));
  }

  subscribe(channel: string, sink: ChannelSink): Promise<DriverSubscription> {
    const answer = Promise.withResolvers<DriverSubscription>();
    const closed = Promise.withResolvers<void>();
    this.openings.push({ channel, sink, answer, closed, closeAsked: false });
    return answer.promise;
  }

  read(_channel: string, after: Position): Promise<HistoryRead> {
    const answer = Promise.withResolvers<HistoryRead>();
    this.reads.push({ after, answer });
    return answer.promise;
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** The backplane acknowledges the opening with that number, at a position. */
  acknowledge(index: number, offset = 0): ChannelSink {
    const opening = this.opening(index);
    opening.sink.live(at(offset));
    opening.answer.resolve({
      close: () => {
        opening.closeAsked = true;
        return opening.closed.promise;
      },
    });
    return opening.sink;
  }

  opening(index: number): Opening {
    const opening = this.openings[index];
    if (opening === undefined) throw new Error(`The driver was not asked for opening ${index}`);
    return opening;
  }

  /** Answers the read with that number with the events of these offsets. */
  answerRead(index: number, offsets: number[], top: number): void {
    this.readAsked(index).answer.resolve({
      complete: true,
      events: offsets.map((offset) => ({ record: record(offset), position: at(offset) })),
      top: at(top),
    });
  }

  /** Answers the read with that number: cannot be proven. */
  answerIncomplete(index: number, top: Position): void {
    this.readAsked(index).answer.resolve({ complete: false, top });
  }

  readAsked(index: number) {
    const read = this.reads[index];
    if (read === undefined) throw new Error(`The driver was not asked for read ${index}`);
    return read;
  }
}

/** A position in the one epoch that these tests use. */
export function at(offset: number): Position {
  return { epoch: "e", offset };
}

/** The event at an offset, named so that a test can see which it is. */
export function record(offset: number): EventRecord {
  return { id: String(offset), event: "n", json: String(offset) };
}
