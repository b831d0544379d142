-- Which jobs took effect, and the latest holder of each that has shown itself.

create table job_effects (
    job_id text not null,
    -- Empty: the job itself, whose fence every step asks; else one of its recorded transactions.
    step text not null default '',
    -- The greatest fence shown so far; older holders can no longer commit.
    fence bigint not null,
    -- When a holder last showed itself, by this server's clock: pruning counts from here.
    shown_at timestamptz not null default now(),
    -- When the step took effect; null while it has not.
    done_at timestamptz,
    -- Whether the whole job is done with it.
    is_last boolean not null default false,
    -- What it returned, as JSON; text, because jsonb would refuse what Python writes.
    result text,
    primary key (job_id, step),
    check (done_at is not null or not is_last)
);
create index job_effects_shown_idx on job_effects (shown_at);

-- For workers in other languages: takes the effect of a job, inside the caller's transaction.
--
-- True: it is yours, go on in this transaction, and commit. False: it was taken before, or a later
-- holder has shown itself; change nothing. Fence 0 stands for a holder that knows none, as Celery's:
-- it competes by the row alone. Two callers at once take turns until the first one's transaction ends.
create function backhaul_take_effect(
    job_id text, fence bigint default 0, result text default null
) returns boolean
language sql as $$
    with taken as (
        insert into job_effects as e (job_id, fence, done_at, is_last, result)
        values ($1, $2, now(), true, $3)
        on conflict (job_id, step) do update
        set fence = greatest(e.fence, excluded.fence), shown_at = now(),
            done_at = excluded.done_at, is_last = true, result = excluded.result
        where e.done_at is null and ($2 = 0 or e.fence <= $2)
        returning 1
    )
    select exists (select from taken)
$$;
