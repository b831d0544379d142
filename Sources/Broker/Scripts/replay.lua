-- Takes one entry out of the dead letters or quarantine and puts its message back on a list.
-- KEYS: 1 order of the entries (zset), 2 entries (hash), 3 list
-- ARGV: 1 entry, 2 message
-- Returns: 1 (put back) or 0 (there is no such entry: somebody else put it back, or it was dropped)
-- Never: removes an entry whose message is not on the list
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[3], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
