-- Puts messages of an expired holder back, at the end of the list that is read next.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset), 3 workers (zset: lease deadline in ms)
-- ARGV: 1 the worker whose lease ran out ('' : judge each message by its age), 2 the age in seconds
--       that counts as expired when there is no worker, then for each message: tag, list, message
-- Returns: how many were put back; -1 when the worker is alive after all
-- Never: touches a message that was settled, renewed or reclaimed meanwhile
local time = redis.call('TIME')
local worker = ARGV[1]
if worker ~= '' then
  local deadline = redis.call('ZSCORE', KEYS[3], worker)
  if deadline and tonumber(deadline) > time[1] * 1000 + math.floor(time[2] / 1000) then
    return -1
  end
end
local oldest = time[1] - tonumber(ARGV[2])
local count = 0
for i = 3, #ARGV, 3 do
  local tag = ARGV[i]
  local score = redis.call('ZSCORE', KEYS[2], tag)
  if score and (worker ~= '' or tonumber(score) <= oldest) then
    redis.call('RPUSH', ARGV[i + 1], ARGV[i + 2])
    redis.call('ZREM', KEYS[2], tag)
    redis.call('HDEL', KEYS[1], tag)
    count = count + 1
  end
end
return count
