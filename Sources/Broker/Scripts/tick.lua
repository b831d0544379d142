-- Enqueues one tick of a schedule entry, unless it was enqueued before: one atomic step.
-- KEYS: 1 ticks (hash: entry → due time in ms of its newest tick), 2 list
-- ARGV: 1 entry, 2 due time in ms, 3 message
-- Returns: 1 (enqueued) or 0 (this tick, or a later one, already was)
-- Never: records a tick that is not on its list
local newest = redis.call('HGET', KEYS[1], ARGV[1])
if newest and tonumber(newest) >= tonumber(ARGV[2]) then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
