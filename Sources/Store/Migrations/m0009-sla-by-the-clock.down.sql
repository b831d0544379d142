drop table sla_burn_alerts;
drop index sla_results_provisional_idx;
drop table sla_closings;
comment on column sla_results.computed_at is null;
drop index outages_bucket_idx;
drop index services_bucket_idx;
