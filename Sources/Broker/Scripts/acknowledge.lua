-- Ends deliveries that succeeded, with their results: one atomic step for each batch.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset)
-- ARGV: 1 seconds to keep a result (0 keeps it for ever), then for each delivery: tag, result key
--       ('' for none), result
-- Returns: array of 1 (settled) or 0 (the lease was lost: nothing was done)
-- Never: stores a result for a delivery whose lease is lost
local ttl = tonumber(ARGV[1])
local answers = {}
for i = 2, #ARGV, 3 do
  local tag = ARGV[i]
  local held = redis.call('ZREM', KEYS[2], tag)
  if held == 1 then
    redis.call('HDEL', KEYS[1], tag)
    store_result(ARGV[i + 1], ARGV[i + 2], ttl)
  end
  answers[#answers + 1] = held
end
return answers
