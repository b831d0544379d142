-- Keeps the dead letters or quarantine within their bounds: too old first, then too many.
-- KEYS: 1 order of the entries (zset), 2 entries (hash), 3 counters (hash)
-- ARGV: 1 the most entries kept, 2 the age in ms beyond which they go (0: never), 3 how many are
--       dropped at most, 4 counter of those that were too many, 5 counter of those that were too old
-- Returns: array: how many were too many, how many were too old
-- Never: drops without counting; drops more in one call than it was told
local left = tonumber(ARGV[3])

local function drop(entries, counter)
  for i = 1, #entries do
    redis.call('ZREM', KEYS[1], entries[i])
    redis.call('HDEL', KEYS[2], entries[i])
  end
  if #entries > 0 then redis.call('HINCRBY', KEYS[3], counter, #entries) end
  left = left - #entries
  return #entries
end

local expired, dropped = 0, 0
local age = tonumber(ARGV[2])
if age > 0 then
  local time = redis.call('TIME')
  local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - age
  local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. oldest, 'LIMIT', 0, left)
  expired = drop(old, ARGV[5])
end
local excess = math.min(redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1]), left)
if excess > 0 then
  dropped = drop(redis.call('ZRANGE', KEYS[1], 0, excess - 1), ARGV[4])
end
return { dropped, expired }
