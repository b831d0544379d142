-- Publishes results once more, to those who began to listen in the very instant of the first time.
-- KEYS: result keys, which are their channels too
-- ARGV: none
-- Returns: how many were published
-- Never: publishes what nobody listens for; writes anything
local count = 0
for i = 1, #KEYS do
  if redis.call('PUBSUB', 'NUMSUB', KEYS[i])[2] > 0 then
    local record = redis.call('GET', KEYS[i])
    if record then
      redis.call('PUBLISH', KEYS[i], record)
      count = count + 1
    end
  end
end
return count
