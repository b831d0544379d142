-- Messages from outside that may come more than once, such as a gateway's webhooks: each is recorded
-- under its sender's own id, in the transaction that enqueues the job it causes.

create table backhaul.inbox (
    -- Whose ids these are, such as stripe.
    source text not null check (octet_length(source) between 1 and 100),
    message_id text not null check (octet_length(message_id) between 1 and 255),
    received_at timestamptz not null default now(),
    -- SHA-256 of the message as it came; null where the receiver gave none.
    payload_digest bytea check (octet_length(payload_digest) = 32),
    job text not null,
    job_id text not null,
    -- How often the id came again with another payload, and the last of those.
    conflicts integer not null default 0 check (conflicts >= 0),
    conflict_digest bytea,
    conflict_at timestamptz,
    primary key (source, message_id),
    check ((conflicts > 0) = (conflict_digest is not null and conflict_at is not null))
);
create index inbox_received_idx on backhaul.inbox (received_at);
create index inbox_conflicts_idx on backhaul.inbox (conflict_at) where conflicts > 0;

-- Records a message once and enqueues its job, in the caller's transaction.
--
-- The first time: the id of the job, and is_new. Again: the id of the first one's job; nothing is
-- enqueued. Again with another payload: is_conflict, and counted on the row if the caller commits;
-- nothing is enqueued. A caller waits for another one's transaction with the same id: if that is rolled
-- back, this one is new.
--
-- Give the payload as the bytes that came, before anything parsed them; without one on either side a
-- repeat is taken for the same. The rest is as in backhaul.enqueue.
--
-- It runs as its owner, so that a caller needs no right on the tables.
create function backhaul.receive(
    source text, message_id text, job text, args json default '[]', kwargs json default '{}',
    queue text default null, at timestamptz default null, payload bytea default null
) returns table (job_id text, is_new boolean, is_conflict boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    digest constant bytea := sha256(receive.payload);
    problem text;
begin
    problem := case
        when coalesce(octet_length(receive.source), 0) not between 1 and 100
            then 'source must be a name of 1 to 100 bytes'
        when coalesce(octet_length(receive.message_id), 0) not between 1 and 255
            then 'message_id must be an id of 1 to 255 bytes'
        when coalesce(octet_length(receive.job), 0) not between 1 and 255
            then 'job must be a name of 1 to 255 bytes'
    end;
    if problem is not null then
        raise exception 'backhaul.receive: %', problem using errcode = 'invalid_parameter_value';
    end if;
    loop
        -- Waits for whoever records the same id at this moment. Which job it causes is written below,
        -- before anybody else can see the row: who is not the first must not enqueue.
        insert into backhaul.inbox (source, message_id, payload_digest, job, job_id)
        values (receive.source, receive.message_id, digest, receive.job, '')
        on conflict on constraint inbox_pkey do nothing;
        if found then
            receive.job_id := backhaul.enqueue(
                job => receive.job, args => receive.args, kwargs => receive.kwargs,
                queue => receive.queue, at => receive.at);
            update backhaul.inbox i set job_id = receive.job_id
            where i.source = receive.source and i.message_id = receive.message_id;
            receive.is_new := true;
            receive.is_conflict := false;
            return next;
            return;
        end if;
        receive.is_new := false;
        update backhaul.inbox i
        set conflicts = i.conflicts + 1, conflict_digest = digest, conflict_at = now()
        where i.source = receive.source and i.message_id = receive.message_id
          and i.payload_digest <> digest
        returning i.job_id into receive.job_id;
        receive.is_conflict := found;
        if not found then
            select i.job_id into receive.job_id from backhaul.inbox i
            where i.source = receive.source and i.message_id = receive.message_id;
        end if;
        if found then
            return next;
            return;
        end if;
        -- Forgotten between the statements: once more.
    end loop;
end
$$;

-- Who may receive is granted by name: usage on the schema, execute on backhaul.receive.
revoke all on function backhaul.receive from public;
