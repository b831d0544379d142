-- Replaces the record of one entry, if nobody changed it meanwhile.
-- KEYS: 1 entries (hash)
-- ARGV: 1 entry, 2 the record as it was read, 3 the record as it is to be
-- Returns: 1 (replaced), 0 (there is no such entry any more), -1 (it was changed meanwhile)
-- Never: brings an entry back that was replayed or purged
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then return 0 end
if record ~= ARGV[2] then return -1 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
