-- Ends a job that waits for its time, as revoked, with all that follows from it: one atomic step.
-- KEYS: 1–5 as in effects, 6 counters (hash)
-- ARGV: 1 member, 2 its record as it was read, 3 result key ('' for none), 4 result, 5 counter, then
--       as in effects
-- Returns: array: 1 (ended), 0 (it waits no more: it was promoted, or somebody took it away), -1 (it
--          was changed since it was read, or what was staged is gone); and the answers of the parts
-- Never: ends a job that was promoted; writes anything unless it takes the message away
local member = ARGV[1]
local record = redis.call('HGET', KEYS[2], member)
if not record then return { 0 } end
if record ~= ARGV[2] then return { -1 } end
local plan = check_effects(6)
if plan.is_staged_gone then return { -1 } end
redis.call('HLEN', KEYS[6])
if ARGV[3] ~= '' then redis.call('STRLEN', ARGV[3]) end
redis.call('HDEL', KEYS[2], member)
redis.call('ZREM', KEYS[1], member)
store_result(ARGV[3], ARGV[4], plan.result_ttl)
local answers = write_effects(plan)
redis.call('HINCRBY', KEYS[6], ARGV[5], 1)
table.insert(answers, 1, 1)
return answers
