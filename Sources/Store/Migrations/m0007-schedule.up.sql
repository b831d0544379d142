-- Schedule entries made at run time, what operators did to the schedule, and the history of ticks.

create table backhaul.schedule_entries (
    name text primary key check (octet_length(name) between 1 and 200),
    -- The entry's settings as a JSON object, under the keys of the schedule file; null where only the
    -- pause of an entry of the file is kept. Text: jsonb would sort the keys and change numbers.
    definition text check (octet_length(definition) <= 65536),
    is_paused boolean not null default false,
    pause_reason text,
    changed_by text not null,
    changed_at timestamptz not null,
    -- Rises by one with each change: whoever edits says which version was looked at.
    version bigint not null default 1,
    check (definition is not null or is_paused)
);

-- One row for each change of the above, written by the same statement.
create table backhaul.schedule_changes (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    who text not null,
    what text not null check (what in ('add', 'replace', 'change', 'pause', 'resume', 'remove')),
    entry text not null,
    -- The row before and after; null where there was none.
    before json,
    after json
);
create index schedule_changes_entry_idx on backhaul.schedule_changes (entry, id);

-- Nobody rewrites what was done; what is older than 400 days may be deleted.
create function backhaul.keep_schedule_changes() returns trigger
language plpgsql as $$
begin
    if tg_op = 'DELETE' and old.at < now() - interval '400 days' then
        return old;
    end if;
    raise exception 'backhaul.schedule_changes is kept as it was written'
        using errcode = 'restrict_violation';
end
$$;
create trigger schedule_changes_keep before update or delete on backhaul.schedule_changes
    for each row execute function backhaul.keep_schedule_changes();

-- What became of each tick; a copy of the log in Redis, which is bounded.
create table backhaul.ticks (
    entry text not null,
    due_at timestamptz not null,
    -- Empty for a tick; the job's id where the entry was run by hand.
    run text not null default '',
    -- When the outcome was decided: for a job, when it was enqueued. Null when only the end is known.
    decided_at timestamptz,
    job_id text,
    outcome text not null check (outcome in
        ('enqueued', 'waiting', 'overlapped', 'misfire', 'holiday', 'paused', 'triggered')),
    -- Ticks before this one that were given up with it.
    missed integer not null default 0,
    -- When the job ended for good, and how, in Celery's words.
    ended_at timestamptz,
    ended_state text,
    primary key (entry, due_at, run)
) partition by range (due_at);
create table backhaul.ticks_default partition of backhaul.ticks default;
create index ticks_due_idx on backhaul.ticks (due_at);

-- Makes the partitions parent_YYYYMMDD of so many days, UTC, those that are missing; returns how many.
--
-- The parent is partitioned by range of a date or a timestamptz. Rows of such a day that went to the
-- default partition meanwhile are moved. Attaching locks the default partition, nothing else that
-- writers need; whoever is in the way for two seconds wins, and it is to be tried again. A writer whose
-- row is on its way to the default partition at that moment is refused once (23514): make them ahead.
create function backhaul.make_partitions(parent regclass, start date, days integer) returns integer
language plpgsql set lock_timeout = '2s' set timezone = 'UTC' as $$
declare
    made integer := 0;
    spill regclass;
    place text;
    stem text;
    key text;
    child text;
    day date;
begin
    select n.nspname, c.relname, a.attname, nullif(p.partdefid, 0)::regclass
    into strict place, stem, key, spill
    from pg_partitioned_table p
        join pg_class c on c.oid = p.partrelid
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
    where p.partrelid = parent;
    for day in select start + i from generate_series(0, days - 1) i loop
        child := stem || to_char(day, '_YYYYMMDD');
        continue when to_regclass(format('%I.%I', place, child)) is not null;
        -- Before anything else, so that no row can come between moving and attaching.
        if spill is not null then
            execute format('lock table %s in access exclusive mode', spill);
        end if;
        -- Somebody else may have been faster.
        continue when to_regclass(format('%I.%I', place, child)) is not null;
        execute format(
            'create table %I.%I (like %s including defaults including constraints '
            'including generated including storage)', place, child, parent);
        if spill is not null then
            execute format(
                'with moved as (delete from %s where %I >= %L and %I < %L returning *) '
                'insert into %I.%I select * from moved',
                spill, key, day, key, day + 1, place, child);
        end if;
        execute format(
            'alter table %s attach partition %I.%I for values from (%L) to (%L)',
            parent, place, child, day, day + 1);
        made := made + 1;
    end loop;
    return made;
end
$$;

-- Drops the partitions parent_YYYYMMDD of days before that one; returns how many.
--
-- What is as old in the default partition is deleted. Dropping locks the parent for a moment; it gives
-- up after two seconds, and is to be tried again.
create function backhaul.drop_partitions(parent regclass, before date) returns integer
language plpgsql set lock_timeout = '2s' set timezone = 'UTC' as $$
declare
    dropped integer := 0;
    spill regclass;
    stem text;
    key text;
    child record;
begin
    select c.relname, a.attname, nullif(p.partdefid, 0)::regclass
    into strict stem, key, spill
    from pg_partitioned_table p
        join pg_class c on c.oid = p.partrelid
        join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
    where p.partrelid = parent;
    for child in
        select i.inhrelid::regclass as name
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = parent
            and left(c.relname, length(stem) + 1) = stem || '_'
            and substr(c.relname, length(stem) + 2) ~ '^[0-9]{8}$'
            and substr(c.relname, length(stem) + 2) < to_char(before, 'YYYYMMDD')
        order by c.relname
    loop
        execute format('drop table %s', child.name);
        dropped := dropped + 1;
    end loop;
    if spill is not null then
        execute format('delete from %s where %I < %L', spill, key, before);
    end if;
    return dropped;
end
$$;

-- Today's, and some ahead; whoever looks after the history makes the rest.
select backhaul.make_partitions('backhaul.ticks', (now() at time zone 'UTC')::date, 7);
