-- Puts an answer on the reply queues that are still bound.
-- KEYS: 1 binding (set), then a list for each queue
-- ARGV: 1 seconds to live for a list that has no end, 2 the answer, then for each list its member of
--       the binding
-- Returns: how many lists it was put on
-- Never: makes a list that nobody is bound to, or one that lives for ever
local sent = 0
for i = 2, #KEYS do
  if redis.call('SISMEMBER', KEYS[1], ARGV[i + 1]) == 1 then
    redis.call('LPUSH', KEYS[i], ARGV[2])
    if redis.call('TTL', KEYS[i]) == -1 then redis.call('EXPIRE', KEYS[i], ARGV[1]) end
    sent = sent + 1
  end
end
return sent
