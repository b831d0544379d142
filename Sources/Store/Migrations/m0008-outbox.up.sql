-- Jobs that are enqueued inside a transaction: rows until the relay has pushed them to their queues.

create table backhaul.outbox (
    -- The order in which rows are pushed; given at insert, visible at commit, so never a bookmark.
    id bigint generated always as identity primary key,
    -- The job's id for good: whoever pushes the row again pushes the same id.
    job_id text not null default gen_random_uuid()::text,
    name text not null,
    -- Text, not jsonb: Python's numbers and the order of keywords stay as they were written.
    args json not null default '[]',
    kwargs json not null default '{}',
    -- Null: the job's own queue, as the relay knows it, else celery.
    queue text,
    priority integer,
    run_at timestamptz,
    expires_at timestamptz,
    headers json not null default '{}',
    ordering_key text,
    created_at timestamptz not null default clock_timestamp(),
    -- So that one claim is bounded in bytes, and no row is larger than a claim.
    bytes integer not null generated always as (
        octet_length(args::text) + octet_length(kwargs::text) + octet_length(headers::text)
    ) stored check (bytes <= 4194304)
) with (
    -- Every row dies within moments: what is left of it must not wait for a share of the table.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

-- Rows that cannot be pushed as they are, until somebody decides.
create table backhaul.outbox_parked (
    id bigint generated always as identity primary key,
    -- The id it had in the outbox.
    row_id bigint not null,
    job_id text not null,
    name text not null,
    args json not null,
    kwargs json not null,
    queue text,
    priority integer,
    run_at timestamptz,
    expires_at timestamptz,
    headers json not null,
    ordering_key text,
    created_at timestamptz not null,
    reason text not null,
    parked_at timestamptz not null default now()
);
create index outbox_parked_job_idx on backhaul.outbox_parked (job_id);
create index outbox_parked_parked_idx on backhaul.outbox_parked (parked_at);

-- Which jobs were enqueued under a key; forgotten by backhaul.prune_outbox.
create table backhaul.outbox_dedup (
    key text primary key,
    job_id text not null,
    created_at timestamptz not null default now()
);
create index outbox_dedup_created_idx on backhaul.outbox_dedup (created_at);

-- Enqueues a job in the caller's transaction: it is run if and only if that commits. Returns its id.
--
-- args and kwargs are what the job is called with; queue is the job's own unless given; it runs not
-- before `at`, and not after `expires`; priority 0 is the most urgent, 9 the least. A second call with
-- the same dedup key returns the first one's id and enqueues nothing, for as long as the key is kept.
-- Jobs with one ordering_key are pushed in the order in which their transactions commit: a caller
-- waits for the transaction of another one with that key. headers become headers of the message;
-- `ignore_result` and `timelimit` mean there what they mean to Celery.
--
-- It runs as its owner, so that a caller needs no right on the tables.
create function backhaul.enqueue(
    job text, args json default '[]', kwargs json default '{}', queue text default null,
    at timestamptz default null, dedup text default null, priority integer default null,
    expires timestamptz default null, headers json default '{}', ordering_key text default null
) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    new_id text := gen_random_uuid()::text;
    known text;
    problem text;
begin
    problem := case
        when coalesce(octet_length(enqueue.job), 0) not between 1 and 255
            or enqueue.job ~ E'[\x01-\x1f\x7f]'
            then 'job must be a name of 1 to 255 bytes without control characters'
        when coalesce(json_typeof(enqueue.args), 'nothing') <> 'array'
            then 'args must be a JSON array, not ' || coalesce(json_typeof(enqueue.args), 'null')
        when coalesce(json_typeof(enqueue.kwargs), 'nothing') <> 'object'
            then 'kwargs must be a JSON object, not ' || coalesce(json_typeof(enqueue.kwargs), 'null')
        when coalesce(json_typeof(enqueue.headers), 'nothing') <> 'object'
            then 'headers must be a JSON object, not ' || coalesce(json_typeof(enqueue.headers), 'null')
        when octet_length(enqueue.queue) not between 1 and 200
            or enqueue.queue ~ E'[\x01-\x1f\x7f]'
            then 'queue must be a name of 1 to 200 bytes without control characters'
        when enqueue.priority not between 0 and 9
            then 'priority must be 0 to 9, not ' || enqueue.priority
        when enqueue.at not between '1970-01-01 00:00:00+00' and '9999-12-31 00:00:00+00'
            then 'at must be a time between the years 1970 and 9999'
        when enqueue.expires not between '1970-01-01 00:00:00+00' and '9999-12-31 00:00:00+00'
            then 'expires must be a time between the years 1970 and 9999'
        when octet_length(enqueue.dedup) not between 1 and 255
            then 'dedup must be a key of 1 to 255 bytes'
        when octet_length(enqueue.ordering_key) not between 1 and 255
            then 'ordering_key must be a key of 1 to 255 bytes'
        when octet_length(enqueue.args::text) + octet_length(enqueue.kwargs::text)
            + octet_length(enqueue.headers::text) > 4194304
            then 'args, kwargs and headers are larger than 4194304 bytes together'
    end;
    if problem is not null then
        raise exception 'backhaul.enqueue: %', problem using errcode = 'invalid_parameter_value';
    end if;
    while enqueue.dedup is not null loop
        -- Waits for another transaction with the key: if that is rolled back, this one is the first.
        insert into backhaul.outbox_dedup (key, job_id) values (enqueue.dedup, new_id)
        on conflict (key) do nothing;
        exit when found;
        select d.job_id into known from backhaul.outbox_dedup d where d.key = enqueue.dedup;
        if found then return known; end if;
        -- Forgotten between the two statements: once more.
    end loop;
    if enqueue.ordering_key is not null then
        -- Until the end of the transaction: ids of one key rise in the order of their commits.
        perform pg_advisory_xact_lock(
            hashtextextended('backhaul.outbox:' || enqueue.ordering_key, 0));
    end if;
    insert into backhaul.outbox (
        job_id, name, args, kwargs, queue, priority, run_at, expires_at, headers, ordering_key)
    values (
        new_id, enqueue.job, enqueue.args, enqueue.kwargs, enqueue.queue, enqueue.priority,
        enqueue.at, enqueue.expires, enqueue.headers, enqueue.ordering_key);
    return new_id;
end
$$;

-- Forgets dedup keys and parked rows that are older than this, at most `batch` of each; returns how
-- many. A dedup key that is forgotten enqueues again.
create function backhaul.prune_outbox(
    dedup_age interval default '7 days', parked_age interval default '90 days',
    batch integer default 10000
) returns bigint
language sql set search_path = pg_catalog, pg_temp as $$
    with keys as (
        delete from backhaul.outbox_dedup where ctid = any(array(
            select d.ctid from backhaul.outbox_dedup d where d.created_at < now() - dedup_age
            order by d.created_at limit batch for update skip locked))
        returning 1
    ), parked as (
        delete from backhaul.outbox_parked where ctid = any(array(
            select p.ctid from backhaul.outbox_parked p where p.parked_at < now() - parked_age
            order by p.parked_at limit batch for update skip locked))
        returning 1
    )
    select (select count(*) from keys) + (select count(*) from parked)
$$;

-- Who may enqueue is granted by name: usage on the schema, execute on backhaul.enqueue.
revoke all on function backhaul.enqueue from public;
revoke all on function backhaul.prune_outbox from public;
