import type { Names } from "../names.ts";
import { SETTINGS } from "./settings.ts";
import { tablesOf } from "./tables.ts";

/** How much one statement takes from the outbox, but for its last event: it has a time to keep. */
const DRAINED_BYTES = 1024 * 1024;

/** `publish` numbers events and stores them, `drain` those that wait in the outbox. */
export function publishFunctions(names: Names): string {
  const { store, channels, events, outbox } = tablesOf(names);
  return `  create or replace function ${names.of("publish")}(
    channels text[], ids text[], names text[], jsons text[], excepts text[]
  ) returns table (epoch text, number bigint)
  language plpgsql ${SETTINGS} set lock_timeout = '3s' as $body$
  #variable_conflict use_column
  begin
    perform ${names.of("check")}();
    -- Whoever begins a new epoch waits for new channels, or these for that: it changes all there are.
    insert into ${channels} (channel, epoch)
    select g.channel, s.epoch
    from (select distinct u.channel collate "C" as channel from unnest(channels) u (channel)) g,
      ${store} s
    where not exists (select from ${channels} c where c.channel = g.channel)
    order by g.channel
    for share of s
    on conflict do nothing;
    -- In one order for all, so that nobody deadlocks; the next statement sees what came before.
    perform from ${channels} c where c.channel = any (channels) order by c.channel for update;
    return query
    with given as (
      select g.*,
        (select e.number from ${events} e where e.channel = g.channel and e.id = g.id) as known
      from unnest(channels, ids, names, jsons, excepts)
        with ordinality as g (channel, id, event, json, except_id, nth)
    ), fresh as (
      select distinct on (g.channel, g.id) g.*
      from given g where g.known is null order by g.channel, g.id, g.nth
    ), numbered as (
      select f.*, c.top + row_number() over (partition by f.channel order by f.nth) as number
      from fresh f join ${channels} c on c.channel = f.channel
    ), stored as (
      insert into ${events} (channel, number, id, event, json, except_id)
      select n.channel, n.number, n.id, n.event, n.json, n.except_id from numbered n
    ), raised as (
      update ${channels} c set top = n.top, changed = pg_current_xact_id()
      from (select n.channel, max(n.number) as top from numbered n group by n.channel) n
      where c.channel = n.channel
    )
    select c.epoch, coalesce(g.known, n.number)
    from given g join ${channels} c on c.channel = g.channel
      left join numbered n on n.channel = g.channel and n.id = g.id
    order by g.nth;
  end;
  $body$;

  create or replace function ${names.of("drain")}(most integer) returns integer
  language plpgsql ${SETTINGS} set lock_timeout = '3s' as $body$
  declare
    taken record;
  begin
    -- Two nodes want the same oldest events, and the second waits for the first to be through with
    -- them: so they cannot swap what one transaction published.
    with claimed as (
      delete from ${outbox} o
      where o.seq = any (array(
        select m.seq
        from (
          select n.seq,
            sum(octet_length(n.json)) over (order by n.seq) - octet_length(n.json) as before
          from (select * from ${outbox} i order by i.seq limit most) n
        ) m
        where m.before < ${DRAINED_BYTES}))
      returning o.*
    )
    select array_agg(c.channel order by c.seq) as channels, array_agg(c.id order by c.seq) as ids,
      array_agg(c.event order by c.seq) as names, array_agg(c.json order by c.seq) as jsons,
      array_agg(c.except_id order by c.seq) as excepts
    into taken from claimed c;
    if taken.channels is null then
      return 0;
    end if;
    perform ${names.of("publish")}(
      taken.channels, taken.ids, taken.names, taken.jsons, taken.excepts);
    return cardinality(taken.channels);
  end;
  $body$;
`;
}
