drop function backhaul_take_effect(text, bigint, text);
drop table job_effects;
