-- Puts messages of an expired holder back, at the end of the list that is read next; those that took
-- too many workers with them go to quarantine instead.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset), 3 workers (zset: lease deadline in ms),
--       4 order of the quarantine (zset), 5 its entries (hash)
-- ARGV: 1 the worker whose lease ran out ('' : judge each message by its age), 2 the age in seconds
--       that counts as expired when there is no worker, 3 seconds to keep a result (0: for ever),
--       then for each message: tag, list ('' : quarantine), message or record, time in ms of the
--       entry, result key ('' for none), result
-- Returns: array: how many were put back, how many went to quarantine; -1 as the first when the
--          worker is alive after all
-- Never: touches a message that was settled, renewed or reclaimed meanwhile
local time = redis.call('TIME')
local worker = ARGV[1]
if worker ~= '' then
  local deadline = redis.call('ZSCORE', KEYS[3], worker)
  if deadline and tonumber(deadline) > time[1] * 1000 + math.floor(time[2] / 1000) then
    return { -1, 0 }
  end
end
local oldest = time[1] - tonumber(ARGV[2])
local ttl = tonumber(ARGV[3])
local count, poisoned = 0, 0
for i = 4, #ARGV, 6 do
  local tag, list = ARGV[i], ARGV[i + 1]
  local score = redis.call('ZSCORE', KEYS[2], tag)
  if score and (worker ~= '' or tonumber(score) <= oldest) then
    if list ~= '' then
      redis.call('RPUSH', list, ARGV[i + 2])
      count = count + 1
    else
      redis.call('HSET', KEYS[5], tag, ARGV[i + 2])
      redis.call('ZADD', KEYS[4], ARGV[i + 3], tag)
      poisoned = poisoned + 1
    end
    redis.call('ZREM', KEYS[2], tag)
    redis.call('HDEL', KEYS[1], tag)
    store_result(ARGV[i + 4], ARGV[i + 5], ttl)
  end
end
return { count, poisoned }
