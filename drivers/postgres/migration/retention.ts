import type { Names } from "../names.ts";
import { SETTINGS } from "./settings.ts";
import { tablesOf } from "./tables.ts";

/** `expire` removes what is too old, `trim` what is too much, on one node at a time. */
export function retentionFunctions(names: Names): string {
  const { channels, events } = tablesOf(names);
  return `  create or replace function ${names.of("expire")}(age_ms bigint, most integer)
  returns integer language plpgsql ${SETTINGS} as $body$
  declare
    removed integer;
  begin
    if not pg_try_advisory_xact_lock(hashtextextended('${names.bell} retention', 0)) then
      return 0;
    end if;
    delete from ${events} e where e.ctid = any (array(
      select o.ctid from ${events} o
      where o.stored_at < now() - age_ms * interval '1 millisecond'
      order by o.stored_at limit most for update skip locked));
    get diagnostics removed = row_count;
    return removed;
  end;
  $body$;

  create or replace function ${names.of("trim")}(
    after text, most_events bigint, grace_ms bigint, most integer
  ) returns text language plpgsql ${SETTINGS} as $body$
  declare
    removed integer;
    last text;
  begin
    if not pg_try_advisory_xact_lock(hashtextextended('${names.bell} retention', 0)) then
      return null;
    end if;
    delete from ${events} e where e.ctid = any (array(
      select o.ctid
      from (select * from ${channels} c where c.channel > after order by c.channel limit most) c
      cross join lateral (
        select o.ctid from ${events} o
        where o.channel = c.channel and o.number <= c.top - most_events
          and o.stored_at < now() - grace_ms * interval '1 millisecond'
        order by o.number limit most
      ) o limit most));
    get diagnostics removed = row_count;
    if removed = most then
      return after;
    end if;
    select max(c.channel) into last
    from (select c.channel from ${channels} c where c.channel > after order by c.channel limit most) c;
    return last;
  end;
  $body$;
`;
}
