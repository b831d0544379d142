drop table sla_credits;
drop table sla_breaches;
drop table sla_results;
drop table maintenance;
drop table outages;
drop index services_sla_idx;
alter table services drop column shard, drop column sla_policy_id;
drop table sla_bands;
drop table sla_policies;
