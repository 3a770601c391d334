import { BroadcastConfigError } from "../../core/errors.ts";
import { describe } from "../../core/options.ts";
import { Names, type PostgresNames, sqlName } from "./names.ts";

/** Version of the tables and functions below. */
export const SCHEMA_VERSION = 2;

/** How much one statement takes from the outbox, but for its last event: it has a time to keep. */
const DRAINED_BYTES = 1024 * 1024;

/** How long a node is remembered after its last mark; one that is alive leaves some every hour. */
const MARKS_KEPT = "7 days";

/**
 * The SQL that prepares a database, for people who run their migrations themselves. It may run any
 * number of times and from many nodes at once. The broadcaster runs it on first use where it has not
 * been run yet. Needs PostgreSQL 13 or later.
 *
 * @example
 * ```ts
 * import { postgresMigration } from "@airwave/broadcast/postgres";
 *
 * const sql = postgresMigration({ schema: "broadcast" }); // hand it to your migration tool
 * ```
 *
 * @throws {BroadcastConfigError} Where a name breaks the rule.
 */
export function postgresMigration(names: PostgresNames): string {
  for (const [option, value] of Object.entries(names)) {
    const rule = value === undefined ? undefined : sqlName(value);
    if (rule === undefined) continue;
    throw new BroadcastConfigError(
      `Cannot write a migration: option "${option}" must be ${rule}, got ${describe(value)}`,
      { context: { option, value } },
    );
  }
  return migration(new Names(names));
}

/**
 * One statement, so that it is one transaction wherever it is pasted.
 *
 * - `store`: one row. `lineage` names the cluster, its timeline and the table: where they differ
 *   from what is stored, the data came from a backup or a replica, and every epoch is made anew.
 *   `generation` rises with every epoch, also where the tables were made anew in between.
 * - `nodes`: how many marks each node has left, which nobody else counts for it. A node that remembers
 *   more of them than are there, or more of the log, or a later epoch, tells by it that the server was
 *   set back: every epoch is made anew.
 * - `channels`: the numbering. Its row lock, held to the commit, is what makes offsets dense.
 *   `changed` is the transaction that published last: readers ask for what may have become visible
 *   since their last snapshot, which, unlike a cursor over a sequence, cannot skip a late commit.
 * - `events`: the ledger, as text: JSON comes back byte for byte.
 * - `outbox`: what an application published in its own transaction, not numbered yet.
 * - `leases` and `leased`: entries that live as long as their owner's lease, by the server's clock.
 */
export function migration(names: Names): string {
  const [store, nodes, channels, events, outbox, leases, leased] = [
    "store",
    "nodes",
    "channels",
    "events",
    "outbox",
    "leases",
    "leased",
  ].map((table) => names.of(table));
  // Plans made before the tables have grown must not settle on reading all of them, and what costs a
  // millisecond must not be compiled for fifty.
  const settings = `set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off`;
  return `do $migration$
begin
  perform set_config('client_min_messages', 'warning', true);
  perform pg_advisory_xact_lock(hashtextextended('${names.bell} migration', 0));
  if to_regnamespace('${names.schema}') is null then
    create schema ${names.schema};
  end if;

  create table if not exists ${store} (
    one boolean primary key default true check (one),
    version integer not null,
    epoch text not null,
    generation bigint not null,
    lineage text not null
  );
  if not exists (
    select from pg_attribute where attrelid = '${store}'::regclass and attname = 'generation'
  ) then
    -- Made by version 1, whose nodes may still be at work.
    -- Where transactions see one snapshot, another node may have been faster unseen.
    alter table ${store} add if not exists generation bigint not null default 0;
  end if;
  create table if not exists ${nodes} (
    node text collate "C" primary key,
    marks bigint not null,
    marked_at timestamptz not null default clock_timestamp()
  );
  create table if not exists ${channels} (
    channel text collate "C" primary key,
    epoch text not null,
    top bigint not null default 0,
    changed xid8 not null default pg_current_xact_id()
  );
  create index if not exists ${names.index("channels_changed")} on ${channels} (changed);
  create table if not exists ${events} (
    channel text collate "C" not null,
    number bigint not null,
    id text collate "C" not null,
    event text not null,
    json text not null,
    except_id text,
    stored_at timestamptz not null default clock_timestamp(),
    primary key (channel, number),
    unique (channel, id)
  );
  create index if not exists ${names.index("events_stored_at")} on ${events} (stored_at);
  create table if not exists ${outbox} (
    seq bigint generated always as identity primary key,
    channel text not null,
    id text not null,
    event text not null,
    json text not null,
    except_id text
  );

  create table if not exists ${leases} (
    owner text collate "C" primary key,
    name text not null,
    until timestamptz not null
  );
  create index if not exists ${names.index("leases_until")} on ${leases} (until);
  create table if not exists ${leased} (
    topic text collate "C" not null,
    owner text collate "C" not null references ${leases} on delete cascade,
    key text collate "C" not null,
    value text not null,
    primary key (owner, topic, key)
  );
  create index if not exists ${names.index("leased_topic")} on ${leased} (topic);

  create or replace function ${names.of("lineage")}() returns text
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
    values (${SCHEMA_VERSION}, gen_random_uuid()::text,
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
  returns void language plpgsql ${settings} as $body$
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
  language plpgsql ${settings} as $body$
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

  create or replace function ${names.of("publish")}(
    channels text[], ids text[], names text[], jsons text[], excepts text[]
  ) returns table (epoch text, number bigint)
  language plpgsql ${settings} set lock_timeout = '3s' as $body$
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
  language plpgsql ${settings} set lock_timeout = '3s' as $body$
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

  create or replace function ${names.of("poll")}(since xid8)
  returns table (
    next xid8, server timestamptz, written pg_lsn, outbox boolean,
    channel text, epoch text, top bigint
  ) language sql stable ${settings} as $body$
    select pg_snapshot_xmin(pg_current_snapshot()), pg_postmaster_start_time(),
      pg_current_wal_flush_lsn(), exists (select from ${outbox}), c.channel, c.epoch, c.top
    from (values (1)) one left join ${channels} c on c.changed >= since;
  $body$;

  create or replace function ${names.of("tops")}(channels text[])
  returns table (channel text, epoch text, top bigint) language sql stable ${settings} as $body$
    select g.channel, coalesce(c.epoch, s.epoch), coalesce(c.top, 0)
    from unnest(channels) g (channel) cross join ${store} s
      left join ${channels} c on c.channel = g.channel;
  $body$;

  create or replace function ${names.of("read")}(
    channels text[], afters bigint[], most integer, most_bytes bigint, most_event_bytes bigint
  ) returns table (
    channel text, epoch text, number bigint, id text, event text, json text, except_id text
  ) language sql stable ${settings} as $body$
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

  create or replace function ${names.of("expire")}(age_ms bigint, most integer) returns integer
  language plpgsql ${settings} as $body$
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
  ) returns text language plpgsql ${settings} as $body$
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

  create or replace function ${names.of("lease")}(
    of_owner text, lease_ms bigint, topics text[], keys text[], vals text[]
  ) returns text language plpgsql ${settings} set lock_timeout = '3s' as $body$
  declare
    lease_name text;
  begin
    delete from ${leases} l where l.ctid = any (array(
      select o.ctid from ${leases} o
      where o.until <= clock_timestamp() and o.owner <> of_owner
      order by o.until limit 100 for update skip locked));
    delete from ${leases} l where l.owner = of_owner and l.until <= clock_timestamp();
    insert into ${leases} as l (owner, name, until)
    values (of_owner, gen_random_uuid()::text,
      clock_timestamp() + lease_ms * interval '1 millisecond')
    on conflict (owner) do update set until = excluded.until
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

  create or replace function ${names.of("leased_on")}(of_topic text)
  returns table (owner text, key text, value text) language sql stable ${settings} as $body$
    select d.owner, d.key, d.value
    from ${leased} d join ${leases} l on l.owner = d.owner
    where d.topic = of_topic and l.until > clock_timestamp();
  $body$;

  create or replace function ${names.of("remaining")}(owners text[])
  returns table (owner text, ms bigint) language sql stable ${settings} as $body$
    select l.owner, ceil(extract(epoch from l.until - clock_timestamp()) * 1000)::bigint
    from ${leases} l where l.owner = any (owners) and l.until > clock_timestamp();
  $body$;

  perform ${names.of("check")}();
  update ${store} set version = ${SCHEMA_VERSION} where version < ${SCHEMA_VERSION};
end
$migration$;
`;
}
