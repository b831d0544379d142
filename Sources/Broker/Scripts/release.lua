-- Gives deliveries back untouched, at the end of the list that is read next: one atomic step.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset)
-- ARGV: for each delivery, the one to run last first: tag, list, message
-- Returns: array of 1 (settled) or 0 (the lease was lost: nothing was done)
-- Never: gives back what another worker already has
local answers = {}
for i = 1, #ARGV, 3 do
  local held = redis.call('ZSCORE', KEYS[2], ARGV[i]) and 1 or 0
  if held == 1 then
    redis.call('RPUSH', ARGV[i + 1], ARGV[i + 2])
    redis.call('ZREM', KEYS[2], ARGV[i])
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
  answers[#answers + 1] = held
end
return answers
