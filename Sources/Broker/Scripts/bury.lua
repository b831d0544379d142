-- Moves deliveries to the dead letters or to quarantine: one atomic step for each batch.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset), 3 order of the entries (zset), 4 entries (hash),
--       5 counters (hash)
-- ARGV: 1 seconds to keep a result (0: for ever), 2 the most entries kept, 3 counter of those dropped,
--       then for each delivery: tag, entry id, time in ms, record, result key ('' for none), result
-- Returns: array of 1 (settled) or 0 (the lease was lost: nothing was done)
-- Never: drops the oldest entry beyond the limit without counting it; drops more in one call than a
--        call may take (a limit that was lowered by far is reached by and by)
local most_dropped = 1000
local ttl = tonumber(ARGV[1])
local answers = {}
for i = 4, #ARGV, 6 do
  local tag, entry = ARGV[i], ARGV[i + 1]
  local held = redis.call('ZSCORE', KEYS[2], tag) and 1 or 0
  if held == 1 then
    redis.call('HSET', KEYS[4], entry, ARGV[i + 3])
    redis.call('ZADD', KEYS[3], ARGV[i + 2], entry)
    redis.call('ZREM', KEYS[2], tag)
    redis.call('HDEL', KEYS[1], tag)
    store_result(ARGV[i + 4], ARGV[i + 5], ttl)
  end
  answers[#answers + 1] = held
end
local excess = math.min(redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[2]), most_dropped)
if excess > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[3], excess)
  for i = 1, #oldest, 2 do redis.call('HDEL', KEYS[4], oldest[i]) end
  redis.call('HINCRBY', KEYS[5], ARGV[3], excess)
end
return answers
