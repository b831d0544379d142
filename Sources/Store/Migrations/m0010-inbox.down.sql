drop function backhaul.receive(text, text, text, json, json, text, timestamptz, bytea);
drop table backhaul.inbox;
