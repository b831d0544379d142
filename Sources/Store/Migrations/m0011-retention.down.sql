drop function backhaul.empty_default(regclass, date, date, integer);
drop function backhaul.default_rows(regclass, integer);
drop index events_done_idx;

-- Attempts of deliveries that are gone cannot go back under a foreign key.
create temporary table attempts_kept on commit drop as
select a.* from webhook_attempts a join webhook_deliveries d on d.id = a.delivery_id;
drop table webhook_attempts;
create table webhook_attempts (
    delivery_id bigint not null references webhook_deliveries on delete cascade,
    attempt integer not null check (attempt > 0),
    at timestamptz not null,
    status integer,
    error_code text,
    elapsed_ms bigint not null check (elapsed_ms >= 0),
    address text,
    response_excerpt text check (octet_length(response_excerpt) <= 1024),
    primary key (delivery_id, attempt),
    check (status is not null or error_code is not null)
);
insert into webhook_attempts (delivery_id, attempt, at, status, error_code, elapsed_ms, address,
    response_excerpt)
select delivery_id, attempt, at, status, error_code, elapsed_ms, address, response_excerpt
from attempts_kept;
