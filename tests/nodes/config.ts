import type {
  BroadcasterOptions,
  BroadcastEventInit,
  BroadcastGatewayOptions,
  DisconnectTarget,
  PublishOptions,
  RevokeTarget,
} from "@airwave/broadcast";

/** What a node is made from: values that travel as JSON. */
export interface NodeConfig {
  readonly driver: "memory" | "redis" | "postgres";
  /** Where the driver's server is. */
  readonly url?: string | undefined;
  /** The prefix of the application. */
  readonly name: string;
  readonly port: number;
  readonly broadcaster?: BroadcasterOptions;
  readonly gateway?: Pick<BroadcastGatewayOptions, "pingIntervalMs" | "pongTimeoutMs">;
}

/** What a test asks of a node, in the place of its application. */
export type Command =
  | {
    readonly do: "publish";
    readonly channel: string;
    readonly event: BroadcastEventInit;
    readonly options?: PublishOptions;
  }
  | { readonly do: "sendToUser"; readonly user: string; readonly event: BroadcastEventInit }
  | { readonly do: "revoke"; readonly target: RevokeTarget }
  | { readonly do: "disconnect"; readonly target: DisconnectTarget }
  | { readonly do: "presence"; readonly channel: string }
  | { readonly do: "health" }
  /** Resolves at once; the gateway drains on. */
  | { readonly do: "drain" };
