/**
 * For tests: the suite that every driver must pass, time that stands still until told, and sockets
 * that lead nowhere.
 *
 * @example
 * ```ts
 * import { FakeTime } from "@airwave/broadcast/testing";
 *
 * using time = new FakeTime();
 * await time.tick(1_000);
 * ```
 *
 * @module
 */
export {
  type ContractBackend,
  driverContract,
  type OpenBackend,
  type RegisterTest,
} from "./driver_contract.ts";
export {
  clientText,
  type FakeClose,
  FakeGatewaySocket,
  FakeNetwork,
  FakeWebSocket,
} from "./fake_sockets.ts";
export { FakeTime, settle } from "./fake_time.ts";
