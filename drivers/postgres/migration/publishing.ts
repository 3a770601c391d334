import { CHANNEL_CHARACTERS, CHANNEL_NAME_RULE, MAX_NAME_LENGTH } from "../../../protocol/names.ts";
import type { Names } from "../names.ts";
import { MAX_EVENT_BYTES } from "../storable.ts";
import { SETTINGS } from "./settings.ts";
import { tablesOf } from "./tables.ts";

/** How much one statement takes from the outbox, but for its last event: it has a time to keep. */
const DRAINED_BYTES = 1024 * 1024;

/** The rule that the outbox's rows are held against, in words for an error message. */
export const OUTBOX_RULE =
  `${CHANNEL_NAME_RULE}, its event, its id and whom it leaves out have 1 to ${MAX_NAME_LENGTH} ` +
  `without control characters, and its data is JSON of ${MAX_EVENT_BYTES} bytes at most`;

/**
 * `publish` numbers events and stores them, `relay` those that wait in the outbox; what `is_event` says
 * to be none is set aside.
 */
export function publishFunctions(names: Names): string {
  const { store, channels, events, outbox, refused } = tablesOf(names);
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

  create or replace function ${names.of("is_event")}(
    channel text, id text, event text, json text, except_id text
  ) returns boolean language plpgsql ${SETTINGS} as $body$
  declare
    name text;
    hex text;
  begin
    if octet_length(json) > ${MAX_EVENT_BYTES}
      or left(channel, ${MAX_NAME_LENGTH + 1}) collate "C"
        !~ '^[${CHANNEL_CHARACTERS}]{1,${MAX_NAME_LENGTH}}$'
      -- Both leave out what is null.
      or least(length(id), length(event), length(except_id)) < 1
      or greatest(length(id), length(event), length(except_id)) > ${MAX_NAME_LENGTH}
    then
      return false;
    end if;
    -- What has a number below 128 has it in whatever the database is encoded.
    if concat(id, event, except_id) collate "C" ~ '[^\\u0020-\\u007e]' then
      foreach name in array array[id, event, coalesce(except_id, id)] loop
        hex := encode(convert_to(name, 'UTF8'), 'hex');
        -- Control characters, and the length as readers count it: four bytes are two of UTF-16.
        if hex ~ '^(..)*([01].|7f|c2[89].|e280a[89])' or ${MAX_NAME_LENGTH} < length(name) +
          (select count(*) from regexp_matches(hex, '..', 'g') byte where byte[1] like 'f%')
        then
          return false;
        end if;
      end loop;
    end if;
    perform json::json;
    return true;
  exception
    when invalid_text_representation then return false;
    -- Nobody could read it.
    when untranslatable_character or character_not_in_repertoire then return false;
    -- Nested deeper than PostgreSQL looks.
    when statement_too_complex then return true;
  end;
  $body$;

  -- Nodes of version 2 and before that are still at work go on with their "drain".
  create or replace function ${names.of("relay")}(most integer)
  returns table (taken integer, seq bigint, channel text)
  language plpgsql ${SETTINGS} set lock_timeout = '3s' as $body$
  #variable_conflict use_column
  declare
    batch record;
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
    ), judged as (
      select c.*,
        ${names.of("is_event")}(c.channel, c.id, c.event, c.json, c.except_id) as fits
      from claimed c
    ), refused as (
      insert into ${refused} (channel, id, event, json, except_id)
      select j.channel, j.id, j.event, j.json, j.except_id
      from judged j where not j.fits order by j.seq
      returning seq, left(channel, ${MAX_NAME_LENGTH}) as channel
    )
    select count(*)::integer as taken,
      (select array_agg(r.seq order by r.seq) from refused r) as refused_seqs,
      (select array_agg(r.channel order by r.seq) from refused r) as refused_channels,
      array_agg(j.channel order by j.seq) filter (where j.fits) as channels,
      array_agg(j.id order by j.seq) filter (where j.fits) as ids,
      array_agg(j.event order by j.seq) filter (where j.fits) as names,
      array_agg(j.json order by j.seq) filter (where j.fits) as jsons,
      array_agg(j.except_id order by j.seq) filter (where j.fits) as excepts
    into batch from judged j;
    if batch.channels is not null then
      perform ${names.of("publish")}(
        batch.channels, batch.ids, batch.names, batch.jsons, batch.excepts);
    end if;
    return query
    select batch.taken, r.seq, r.channel
    from (values (1)) one
      left join unnest(batch.refused_seqs, batch.refused_channels) r (seq, channel) on true;
  end;
  $body$;
`;
}
