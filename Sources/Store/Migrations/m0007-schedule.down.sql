drop table backhaul.ticks;
drop function backhaul.drop_partitions(regclass, date);
drop function backhaul.make_partitions(regclass, date, integer);
drop table backhaul.schedule_changes;
drop function backhaul.keep_schedule_changes();
drop table backhaul.schedule_entries;
