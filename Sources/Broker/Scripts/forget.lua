-- Strikes an expired worker off, after handing back what stayed in its inboxes.
-- KEYS: 1 workers (zset: lease deadline in ms), 2 presence (hash), 3 its suspects (set),
--       4 overdue (hash), then pairs: inbox, its list
-- ARGV: 1 worker
-- Returns: how many messages came out of the inboxes; -1 when the worker is alive after all
-- Never: leaves a message in an inbox that nobody will read
local time = redis.call('TIME')
local deadline = redis.call('ZSCORE', KEYS[1], ARGV[1])
if deadline and tonumber(deadline) > time[1] * 1000 + math.floor(time[2] / 1000) then
  return -1
end
local count = 0
for i = 5, #KEYS, 2 do
  while redis.call('LMOVE', KEYS[i], KEYS[i + 1], 'LEFT', 'RIGHT') do count = count + 1 end
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
redis.call('HDEL', KEYS[4], ARGV[1])
return count
