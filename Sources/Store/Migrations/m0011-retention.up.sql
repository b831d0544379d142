-- What keeps history from growing for ever: the log of webhook attempts in a partition for each day,
-- what its default partition needs, and the index by which old events are found.

-- The log loses its foreign key: to drop a day would lock webhook_deliveries, and a delivery's number is
-- only written here by the statement that moves the delivery. One attempt is one row all the same,
-- because the delivery's row counts them.
alter table webhook_attempts rename to webhook_attempts_past;
alter table webhook_attempts_past
    drop constraint webhook_attempts_pkey,
    drop constraint webhook_attempts_delivery_id_fkey;

-- The names of the checks are those of the old table, which becomes a partition of this one.
create table webhook_attempts (
    delivery_id bigint not null,
    attempt integer not null
        constraint webhook_attempts_attempt_check check (attempt > 0),
    at timestamptz not null,
    status integer,
    error_code text,
    elapsed_ms bigint not null
        constraint webhook_attempts_elapsed_ms_check check (elapsed_ms >= 0),
    address text,
    response_excerpt text constraint webhook_attempts_response_excerpt_check
        check (octet_length(response_excerpt) <= 1024),
    primary key (delivery_id, attempt, at),
    constraint webhook_attempts_check check (status is not null or error_code is not null)
) partition by range (at);
create table webhook_attempts_default partition of webhook_attempts default;

-- What was logged so far becomes one partition, without being copied, under the name of its last day;
-- the days follow it.
do $$
declare
    first_day date := (now() at time zone 'UTC')::date;
begin
    if exists (select from webhook_attempts_past) then
        select greatest(first_day, (max(at) at time zone 'UTC')::date) + 1 into first_day
        from webhook_attempts_past;
        execute format(
            'alter table webhook_attempts_past rename to %I',
            'webhook_attempts_' || to_char(first_day - 1, 'YYYYMMDD'));
        execute format(
            'alter table webhook_attempts attach partition %I for values from (minvalue) to (%L)',
            'webhook_attempts_' || to_char(first_day - 1, 'YYYYMMDD'),
            first_day || ' 00:00:00+00');
    else
        drop table webhook_attempts_past;
    end if;
    perform backhaul.make_partitions('webhook_attempts', first_day, 8);
end
$$;

create index events_done_idx on events (fanned_out_at) where fanned_out_at is not null;

-- How many rows the default partition of a table holds, counted up to `most`; 0 without one.
create function backhaul.default_rows(parent regclass, most integer default 10000)
returns bigint language plpgsql stable as $$
declare
    spare regclass;
    found_rows bigint := 0;
begin
    select partdefid into spare from pg_partitioned_table
    where partrelid = parent and partdefid <> 0;
    if spare is not null then
        execute format('select count(*) from (select from %s limit %s) s', spare, most)
            into found_rows;
    end if;
    return found_rows;
end
$$;

-- Gives the days of [from_day, to_day] that have rows in the default partition a partition of their own,
-- with those rows; at most `most` days. Returns how many were made.
--
-- A row is in the default partition when nobody made its day in time.
create function backhaul.empty_default(
    parent regclass, from_day date, to_day date, most integer default 10
) returns integer language plpgsql as $$
declare
    spare regclass;
    key text;
    days date[];
    day date;
    made integer := 0;
begin
    select p.partdefid, a.attname into spare, key
    from pg_partitioned_table p
        join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
    where p.partrelid = parent and p.partdefid <> 0;
    if spare is null then return 0; end if;
    -- Into an array first: a table in the middle of a query cannot be altered.
    execute format(
        'select array_agg(day) from (
            select distinct (%I at time zone ''UTC'')::date as day from %s
            where %I >= %L and %I < %L order by 1 limit %s) found',
        key, spare, key, from_day || ' 00:00:00+00', key, to_day + 1 || ' 00:00:00+00', most)
        into days;
    foreach day in array coalesce(days, '{}') loop
        made := made + backhaul.make_partitions(parent, day, 1);
    end loop;
    return made;
end
$$;
