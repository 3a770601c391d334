import type { Names } from "../names.ts";
import { SETTINGS } from "./settings.ts";
import { tablesOf } from "./tables.ts";

/** How long a node is remembered after its last mark; one that is alive leaves some every hour. */
const MARKS_KEPT = "7 days";

/**
 * Each makes every epoch anew where the server was set back: `check` where the data came from
 * elsewhere, `regressed` where a channel stands lower than a node has seen it, `mark` where a node's
 * marks, or what it saw of the log, are gone.
 */
export function epochFunctions(names: Names, version: number): string {
  const { store, nodes, channels, events } = tablesOf(names);
  return `  create or replace function ${names.of("lineage")}() returns text
  language sql stable set search_path = pg_catalog, pg_temp as $body$
    select concat_ws('/',
      (select system_identifier from pg_control_system()),
      left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
      '${events}'::regclass::oid);
  $body$;

  create or replace function ${names.of("check")}() returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $body$
  declare
    here text := ${names.of("lineage")}();
  begin
    perform from ${store} s where s.lineage = here;
    if found then
      return;
    end if;
    insert into ${store} as s (version, epoch, generation, lineage)
    values (${version}, gen_random_uuid()::text,
      extract(epoch from clock_timestamp()) * 1000000, here)
    on conflict (one) do update set epoch = excluded.epoch, lineage = excluded.lineage,
      generation = greatest(s.generation + 1, excluded.generation)
    where s.lineage <> excluded.lineage;
    if found then
      perform from ${channels} c order by c.channel for update;
      update ${channels} c set epoch = s.epoch, changed = pg_current_xact_id() from ${store} s;
    end if;
  end;
  $body$;

  create or replace function ${names.of("regressed")}(of_channel text, of_epoch text, seen bigint)
  returns void language plpgsql ${SETTINGS} as $body$
  begin
    perform from ${names.of("tops")}(array[of_channel]) t where t.epoch = of_epoch and t.top < seen;
    if found then
      -- Not once more where another node was faster.
      update ${store} s set lineage = '' where s.epoch = of_epoch;
      perform ${names.of("check")}();
    end if;
  end;
  $body$;

  create or replace function ${names.of("mark")}(
    of_node text, seen_epoch text, seen_generation bigint, seen_marks bigint, seen_log pg_lsn
  ) returns table (epoch text, generation bigint, marks bigint, log pg_lsn)
  language plpgsql ${SETTINGS} as $body$
  #variable_conflict use_column
  begin
    perform ${names.of("check")}();
    perform from ${store} s
    where s.generation < seen_generation or s.epoch = seen_epoch and (
      pg_current_wal_flush_lsn() < seen_log or seen_marks > 0 and not exists (
        select from ${nodes} n where n.node = of_node and n.marks >= seen_marks));
    if found then
      -- Not once more where another node was faster: then there is a younger epoch.
      update ${store} s set lineage = '', generation = greatest(s.generation, seen_generation)
      where s.generation < seen_generation or s.epoch = seen_epoch;
      perform ${names.of("check")}();
    end if;
    -- A server that takes no writes for now can still be read.
    if not current_setting('transaction_read_only')::boolean then
      if seen_epoch is null then
        delete from ${nodes} n where n.node = any (array(
          select o.node from ${nodes} o where o.marked_at < now() - interval '${MARKS_KEPT}'
          for update skip locked));
      end if;
      insert into ${nodes} as n (node, marks) values (of_node, coalesce(seen_marks, 0) + 1)
      -- Higher than any before, also than one whose answer the node has not heard.
      on conflict (node) do update
      set marks = greatest(n.marks + 1, excluded.marks), marked_at = excluded.marked_at;
    end if;
    return query
    select s.epoch, s.generation, coalesce(n.marks, 0), pg_current_wal_flush_lsn()
    from ${store} s left join ${nodes} n on n.node = of_node;
  end;
  $body$;
`;
}
