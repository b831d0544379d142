-- Stores messages that are to run at a time.
-- KEYS: 1 delayed (zset), 2 delayed messages (hash)
-- ARGV: for each message: member, due time in ms, list, message
-- Returns: how many were stored
-- Never: stores a member without its message
for i = 1, #ARGV, 4 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2] .. '\n' .. ARGV[i + 3])
  redis.call('ZADD', KEYS[1], ARGV[i + 1], ARGV[i])
end
return #ARGV / 4
