import type { Names } from "../names.ts";
import { SETTINGS } from "./settings.ts";
import { tablesOf } from "./tables.ts";

/** `poll` tells which channels have news, `tops` where channels stand, `read` what is on them. */
export function readFunctions(names: Names): string {
  const { store, channels, events, outbox } = tablesOf(names);
  return `  create or replace function ${names.of("poll")}(since xid8)
  returns table (
    next xid8, server timestamptz, written pg_lsn, outbox boolean,
    channel text, epoch text, top bigint
  ) language sql stable ${SETTINGS} as $body$
    select pg_snapshot_xmin(pg_current_snapshot()), pg_postmaster_start_time(),
      pg_current_wal_flush_lsn(), exists (select from ${outbox}), c.channel, c.epoch, c.top
    from (values (1)) one left join ${channels} c on c.changed >= since;
  $body$;

  create or replace function ${names.of("tops")}(channels text[])
  returns table (channel text, epoch text, top bigint) language sql stable ${SETTINGS} as $body$
    select g.channel, coalesce(c.epoch, s.epoch), coalesce(c.top, 0)
    from unnest(channels) g (channel) cross join ${store} s
      left join ${channels} c on c.channel = g.channel;
  $body$;

  create or replace function ${names.of("read")}(
    channels text[], afters bigint[], most integer, most_bytes bigint, most_event_bytes bigint
  ) returns table (
    channel text, epoch text, number bigint, id text, event text, json text, except_id text
  ) language sql stable ${SETTINGS} as $body$
    select r.channel, r.epoch, r.number, r.id, r.event,
      case when octet_length(r.json) <= most_event_bytes then r.json end, r.except_id
    from (
      select g.nth, c.epoch, e.*,
        sum(octet_length(e.json)) over (order by g.nth, e.number) - octet_length(e.json) as before
      from unnest(channels, afters) with ordinality as g (channel, after, nth)
      join ${channels} c on c.channel = g.channel
      cross join lateral (
        select e.channel, e.number, e.id, e.event, e.json, e.except_id from ${events} e
        where e.channel = g.channel and e.number > g.after order by e.number limit most
      ) e
      order by g.nth, e.number limit most
    ) r
    where r.before < most_bytes
    order by r.nth, r.number;
  $body$;
`;
}
