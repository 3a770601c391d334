import type { Names } from "../names.ts";

/** What the tables are called, quoted. */
export function tablesOf(names: Names) {
  return {
    store: names.of("store"),
    nodes: names.of("nodes"),
    channels: names.of("channels"),
    events: names.of("events"),
    outbox: names.of("outbox"),
    refused: names.of("refused"),
    leases: names.of("leases"),
    leased: names.of("leased"),
  };
}

/**
 * The tables.
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
 * - `outbox`: what an application published in its own transaction, not numbered yet. Anybody may
 *   put something there, by hand or in another language.
 * - `refused`: what could not be sent from there: it would hold up all that came after it.
 * - `leases` and `leased`: entries that live as long as their owner's lease, by the server's clock;
 *   where `renewed_at` is still to come, that clock was ahead and has been set right since.
 */
export function createTables(names: Names): string {
  const { store, nodes, channels, events, outbox, refused, leases, leased } = tablesOf(names);
  return `  create table if not exists ${store} (
    one boolean primary key default true check (one),
    version integer not null,
    epoch text not null,
    generation bigint not null,
    lineage text not null
  );
  -- Version 1 had none.
${addColumn(store, "generation", "bigint not null default 0")}
  create table if not exists ${nodes} (
    node text collate "C" primary key,
    marks bigint not null,
    marked_at timestamptz not null default clock_timestamp()
  );
  if to_regclass('${channels}') is null then
    -- Events whose numbers will be given again would be in the way of those that get them.
    drop table if exists ${events};
  end if;
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
  create table if not exists ${refused} (
    seq bigint generated always as identity primary key,
    channel text not null,
    id text not null,
    event text not null,
    json text not null,
    except_id text,
    refused_at timestamptz not null default clock_timestamp()
  );

  create table if not exists ${leases} (
    owner text collate "C" primary key,
    name text not null,
    until timestamptz not null,
    renewed_at timestamptz not null
  );
  -- Versions 1 and 2 had none.
${addColumn(leases, "renewed_at", "timestamptz not null default now()")}
  create index if not exists ${names.index("leases_until")} on ${leases} (until);
  create index if not exists ${names.index("leases_renewed_at")} on ${leases} (renewed_at);
  create table if not exists ${leased} (
    topic text collate "C" not null,
    owner text collate "C" not null references ${leases} on delete cascade,
    key text collate "C" not null,
    value text not null,
    primary key (owner, topic, key)
  );
  create index if not exists ${names.index("leased_topic")} on ${leased} (topic);
`;
}

/**
 * Adds a column to a table that an older version made, whose nodes may still be at work. With one
 * default for all rows the table is not written anew, as then it would be empty to whoever looks just
 * now.
 */
function addColumn(table: string, column: string, definition: string): string {
  return `  if not exists (
    select from pg_attribute where attrelid = '${table}'::regclass and attname = '${column}'
  ) then
    -- Where transactions see one snapshot, another node may have been faster unseen.
    alter table ${table} add if not exists ${column} ${definition};
  end if;`;
}
