import type { Names } from "../names.ts";
import { SETTINGS } from "./settings.ts";
import { tablesOf } from "./tables.ts";

/**
 * `lease` writes entries and renews their owner's lease, `leased_on` and `remaining` read, once
 * `shorten` has taken back what a clock that was ahead gave too much.
 */
export function leaseFunctions(names: Names): string {
  const { leases, leased } = tablesOf(names);
  return `  create or replace function ${names.of("lease")}(
    of_owner text, lease_ms bigint, topics text[], keys text[], vals text[]
  ) returns text language plpgsql ${SETTINGS} set lock_timeout = '3s' as $body$
  declare
    lease_name text;
  begin
    delete from ${leases} l where l.ctid = any (array(
      select o.ctid from ${leases} o
      where o.until <= clock_timestamp() and o.owner <> of_owner
      order by o.until limit 100 for update skip locked));
    delete from ${leases} l where l.owner = of_owner and l.until <= clock_timestamp();
    insert into ${leases} as l (owner, name, until, renewed_at)
    select of_owner, gen_random_uuid()::text, t.now + lease_ms * interval '1 millisecond', t.now
    from clock_timestamp() t (now)
    on conflict (owner) do update set until = excluded.until, renewed_at = excluded.renewed_at
    returning l.name into lease_name;
    with given as (
      select distinct on (g.topic, g.key) g.*
      from unnest(topics, keys, vals) with ordinality as g (topic, key, value, nth)
      order by g.topic, g.key, g.nth desc
    ), removed as (
      delete from ${leased} d using given g
      where d.owner = of_owner and d.topic = g.topic and d.key = g.key and g.value is null
    )
    insert into ${leased} (topic, owner, key, value)
    select g.topic, of_owner, g.key, g.value from given g where g.value is not null
    on conflict (owner, topic, key) do update set value = excluded.value;
    return lease_name;
  end;
  $body$;

  create or replace function ${names.of("shorten")}() returns void
  language plpgsql ${SETTINGS} as $body$
  declare
    -- An index is not searched for what a volatile function tells.
    now constant timestamptz := clock_timestamp();
  begin
    -- A server that takes no writes for now can still be read.
    if not current_setting('transaction_read_only')::boolean then
      update ${leases} l set until = now + (l.until - l.renewed_at), renewed_at = now
      where l.renewed_at > now;
    end if;
  end;
  $body$;

  create or replace function ${names.of("leased_on")}(of_topic text)
  returns table (owner text, key text, value text) language sql volatile ${SETTINGS} as $body$
    select ${names.of("shorten")}();
    select d.owner, d.key, d.value
    from ${leased} d join ${leases} l on l.owner = d.owner
    where d.topic = of_topic and l.until > clock_timestamp();
  $body$;

  create or replace function ${names.of("remaining")}(owners text[])
  returns table (owner text, ms bigint) language sql volatile ${SETTINGS} as $body$
    select ${names.of("shorten")}();
    select l.owner, ceil(extract(epoch from l.until - clock_timestamp()) * 1000)::bigint
    from ${leases} l where l.owner = any (owners) and l.until > clock_timestamp();
  $body$;
`;
}
