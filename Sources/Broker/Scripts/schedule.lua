-- Stores messages that are to run at a time; aside.lua stands in front.
-- KEYS: 1 delayed (zset), 2 delayed messages (hash)
-- ARGV: for each message: `<job id>/<something unique>`, due time in ms, list, message
-- Returns: how many were stored
-- Never: stores a member without its message
redis.call('ZCARD', KEYS[1])
for i = 1, #ARGV, 4 do
  put_aside(KEYS[1], KEYS[2], ARGV[i + 1], ARGV[i], ARGV[i + 2] .. '\n' .. ARGV[i + 3])
end
return #ARGV / 4
