-- Sends deliveries round again, now or at a time: one atomic step for each batch.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset), 3 delayed (zset), 4 delayed messages (hash)
-- ARGV: 1 seconds to keep a result (0: for ever), then for each delivery: tag, due time in ms (0 is
--       now), list, message, `<job id>/<tag>`, result key ('' for none), result
-- Returns: array of 1 (settled) or 0 (the lease was lost: nothing was done)
-- Never: overwrites a result that says SUCCESS
local ttl = tonumber(ARGV[1])
local answers = {}
redis.call('ZCARD', KEYS[3])
redis.call('HLEN', KEYS[4])
for i = 2, #ARGV, 7 do
  local tag, due, list, message = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local held = redis.call('ZSCORE', KEYS[2], tag) and 1 or 0
  if held == 1 then
    if due == '0' then
      redis.call('LPUSH', list, message)
    else
      put_aside(KEYS[3], KEYS[4], due, ARGV[i + 4], list .. '\n' .. message)
    end
    redis.call('ZREM', KEYS[2], tag)
    redis.call('HDEL', KEYS[1], tag)
    store_result(ARGV[i + 5], ARGV[i + 6], ttl)
  end
  answers[#answers + 1] = held
end
return answers
