-- Ends deliveries that succeeded, with their results: one atomic step for each batch.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset)
-- ARGV: 1 seconds to keep a result (0 keeps it for ever), then for each delivery: tag, result key
--       ('' for none), result
-- Returns: how many, when all were settled; else an array of 1 (settled) or 0 (the lease was lost:
--          nothing was done)
-- Never: stores a result for a delivery whose lease is lost
local ttl = tonumber(ARGV[1])
local tags, count = {}, 0
for i = 2, #ARGV, 3 do
  count = count + 1
  tags[count] = ARGV[i]
end

-- Nearly always every lease stands: one command for all is then a third of the work.
if redis.call('ZREM', KEYS[2], unpack(tags)) == count then
  redis.call('HDEL', KEYS[1], unpack(tags))
  for i = 3, #ARGV, 3 do store_result(ARGV[i], ARGV[i + 1], ttl) end
  return count
end

-- Each is in both places or in none, so the other place still says which of them were held.
local answers = {}
for i = 1, count do
  local held = redis.call('HDEL', KEYS[1], tags[i])
  if held == 1 then store_result(ARGV[i * 3], ARGV[i * 3 + 1], ttl) end
  answers[i] = held
end
return answers
