-- Ends one delivery with all that follows from it for its workflow: one atomic step.
-- KEYS: 1–5 as in effects, 6 unacked (hash), 7 unacked_index (zset), 8 workers (zset: lease deadline in
--       ms), 9 order of a grave (zset), 10 its entries (hash), 11 counters (hash)
-- ARGV: 1 tag, 2 the worker whose lease ran out ('': the caller holds the delivery himself), 3 result
--       key ('' for none), 4 result, 5 entry of the grave ('' : done with the message), 6 time in ms,
--       7 record, 8 the most entries kept there, 9 counter of those dropped, then as in effects
-- Returns: array: 1 (settled), 0 (the lease was lost, or the worker is alive after all: nothing was
--          done), -1 (what was staged is gone: nothing was done); and the answers of the parts
-- Never: writes anything when the lease is lost; drops more entries in one call than a call may take
local most_dropped = 1000
local tag, worker, entry = ARGV[1], ARGV[2], ARGV[5]
if not redis.call('ZSCORE', KEYS[7], tag) then return { 0 } end
if worker ~= '' then
  local deadline = redis.call('ZSCORE', KEYS[8], worker)
  if deadline and tonumber(deadline) > now_in_ms() then return { 0 } end
end
local plan = check_effects(10)
if plan.is_staged_gone then return { -1 } end
redis.call('HLEN', KEYS[6])
if ARGV[3] ~= '' then redis.call('STRLEN', ARGV[3]) end
if entry ~= '' then
  redis.call('ZCARD', KEYS[9])
  redis.call('HLEN', KEYS[10])
  redis.call('HLEN', KEYS[11])
  redis.call('HSET', KEYS[10], entry, ARGV[7])
  redis.call('ZADD', KEYS[9], ARGV[6], entry)
end
store_result(ARGV[3], ARGV[4], plan.result_ttl)
local answers = write_effects(plan)
redis.call('ZREM', KEYS[7], tag)
redis.call('HDEL', KEYS[6], tag)
if entry ~= '' then
  local excess = math.min(redis.call('ZCARD', KEYS[9]) - tonumber(ARGV[8]), most_dropped)
  if excess > 0 then
    local oldest = redis.call('ZPOPMIN', KEYS[9], excess)
    for i = 1, #oldest, 2 do redis.call('HDEL', KEYS[10], oldest[i]) end
    redis.call('HINCRBY', KEYS[11], ARGV[9], excess)
  end
end
table.insert(answers, 1, 1)
return answers
