import {
  type BroadcastError,
  BroadcastGateway,
  type BroadcastGatewayOptions,
  type DisconnectionInfo,
  type DriverBroadcaster,
  MemoryBroadcaster,
  type SocketEvents,
} from "@airwave/broadcast";
import { clientText, FakeGatewaySocket } from "@airwave/broadcast/testing";
import type { ClientFrame } from "@airwave/broadcast/protocol";

/** What a request whose body is a stream has to say; the types do not know of it yet. */
export const STREAMED = { duplex: "half" };

/** A user, as these tests' applications know one. */
export interface User {
  readonly name: string;
}

/** A client that a test plays by hand. */
export interface PlayedClient {
  readonly socket: FakeGatewaySocket;
  readonly events: SocketEvents;
  send(frame: ClientFrame): void;
  /** What the gateway said since the welcome. */
  readonly heard: unknown[];
}

/** A gateway over memory, with clients played by the test and everything its hooks said. */
export class PlayedGateway implements AsyncDisposable {
  readonly broadcaster: DriverBroadcaster<User>;
  readonly errors: BroadcastError[] = [];
  readonly disconnections: DisconnectionInfo<User>[] = [];
  readonly gateway: BroadcastGateway<User>;
  readonly #subjects = new WeakMap<Request, User>();

  constructor(
    options: Partial<BroadcastGatewayOptions<User>> = {},
    broadcaster: DriverBroadcaster<User> = new MemoryBroadcaster<User>(),
  ) {
    this.broadcaster = broadcaster;
    this.gateway = new BroadcastGateway<User>({
      broadcaster: this.broadcaster,
      onError: (error) => this.errors.push(error),
      onDisconnect: (info) => this.disconnections.push(info),
      resolveSubject: (request) => this.#subjects.get(request),
      ...options,
    });
  }

  connect(subject?: User, query = "", socket = new FakeGatewaySocket()): PlayedClient {
    const request = new Request(`http://app.example/_broadcast${query}`);
    if (subject !== undefined) this.#subjects.set(request, subject);
    const events = this.gateway.connect(socket, request);
    return {
      socket,
      events,
      send: (frame) => events.message(clientText(frame)),
      get heard() {
        return socket.frames.slice(1);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.broadcaster.close();
  }
}

/**
 * Publishes until a connection is over, as much as its socket takes, however much that is.
 *
 * @returns The code that it ended with.
 */
export async function publishUntilEnded(
  { broadcaster, ended }: {
    readonly broadcaster: MemoryBroadcaster;
    readonly ended: Promise<DisconnectionInfo>;
  },
  channel: string,
): Promise<number> {
  let code: number | undefined;
  ended.then((end) => code = end.code);
  while (code === undefined) {
    await broadcaster.publish(channel, { event: "n", data: "x".repeat(60_000) });
    await new Promise((resolve) => setTimeout(resolve));
  }
  return code;
}
