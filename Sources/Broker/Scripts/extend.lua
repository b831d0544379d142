-- Lets a claim on a chord stand for longer, while its parts are being gathered.
-- KEYS: 1 open chords (zset: when to look again, in ms), 2 claim, 3 size
-- ARGV: 1 group, 2 token, 3 seconds a claim lasts
-- Returns: 1 (it stands), 0 (it is another's, or the chord is over)
-- Never: takes a claim from another
local claim = redis.call('GET', KEYS[2])
if claim == ARGV[2] then
  redis.call('EXPIRE', KEYS[2], ARGV[3])
elseif claim or redis.call('EXISTS', KEYS[3]) == 0 then
  return 0
else
  redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[3]) * 1000 + 500
redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', due), ARGV[1])
return 1
