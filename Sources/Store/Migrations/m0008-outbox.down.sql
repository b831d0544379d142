drop function backhaul.prune_outbox(interval, interval, integer);
drop function backhaul.enqueue(
    text, json, json, text, timestamptz, text, integer, timestamptz, json, text);
drop table backhaul.outbox_dedup;
drop table backhaul.outbox_parked;
drop table backhaul.outbox;
