-- Moves messages whose time has come to their lists, earliest first.
-- KEYS: 1 delayed (zset), 2 delayed messages (hash)
-- ARGV: 1 how many at most
-- Returns: array: how many were moved, milliseconds until the next one is due (-1: none waits)
-- Never: removes a message from the set before it is on its list
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))
for i = 1, #due do
  local record = redis.call('HGET', KEYS[2], due[i])
  if record then
    local line = string.find(record, '\n', 1, true)
    redis.call('LPUSH', string.sub(record, 1, line - 1), string.sub(record, line + 1))
    redis.call('HDEL', KEYS[2], due[i])
  end
  redis.call('ZREM', KEYS[1], due[i])
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if #first == 0 then return { #due, -1 } end
return { #due, math.max(0, math.ceil(tonumber(first[2]) - now)) }
