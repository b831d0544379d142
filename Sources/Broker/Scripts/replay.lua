-- Takes one entry out of the dead letters or quarantine and puts its message back on a list.
-- KEYS: 1 order of the entries (zset), 2 entries (hash), 3 list, 4 counters (hash)
-- ARGV: 1 entry, 2 message, 3 the record as it was read, 4 counter of those put back
-- Returns: 1 (put back), 0 (there is no such entry: somebody else put it back, or it was dropped),
--          -1 (it was changed meanwhile: the message is not that of the record any more)
-- Never: removes an entry whose message is not on the list; puts one back that was edited meanwhile
local record = redis.call('HGET', KEYS[2], ARGV[1])
if not record then return 0 end
if record ~= ARGV[3] then return -1 end
redis.call('LPUSH', KEYS[3], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HINCRBY', KEYS[4], ARGV[4], 1)
return 1
