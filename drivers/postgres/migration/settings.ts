/**
 * What every function of the driver's that reads its tables runs under. Plans made before the tables
 * have grown must not settle on reading all of them, and what costs a millisecond must not be compiled
 * for fifty.
 */
export const SETTINGS =
  "set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off";
