/**
 * The heart of the library, without any driver: events, subscriptions, authorization, errors and
 * the contract that a driver fulfils.
 *
 * @module
 */
export type {
  ChannelAuthorizationRequest,
  ChannelAuthorizationResult,
  ChannelAuthorizer,
  DefaultAccess,
} from "./authorization.ts";
export type { Broadcaster } from "./broadcaster.ts";
export type { BroadcasterOptions } from "./broadcaster_options.ts";
export type { ControlListener, ControlWatch } from "./control.ts";
export type {
  BroadcastDriver,
  ChannelSink,
  DriverAbilities,
  DriverHost,
  DriverSubscription,
  HistoryRead,
} from "./driver.ts";
export { DriverBroadcaster } from "./driver_broadcaster.ts";
export * from "./errors.ts";
export {
  type BroadcastEvent,
  type BroadcastEventInit,
  ChannelEvent,
  type EventRecord,
  type PublishOptions,
  type PublishReceipt,
  type StoredEvent,
} from "./event.ts";
export type { BackplaneState, HealthChange } from "./health.ts";
export type { ErrorHook } from "./hooks.ts";
export type { LeasedChange, LeasedEntry, LeaseStore } from "./leases.ts";
export type { Attachment, ChannelListener, ListenerGroup, SubscriptionStart } from "./listener.ts";
export type { ControlOrder, DisconnectTarget, OrderOptions, RevokeTarget } from "./orders.ts";
export type { Position } from "./position.ts";
export type { PresenceListener, PresenceSnapshot } from "./presence_channel.ts";
export type { PresenceInfo } from "./presence_info.ts";
export type {
  BroadcastSubscription,
  OverflowPolicy,
  SubscribeOptions,
  SubscriptionOverflow,
} from "./subscription.ts";
