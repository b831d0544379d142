-- Deletes entries of the dead letters or of quarantine for good, as an operator decided.
-- KEYS: 1 order of the entries (zset), 2 entries (hash), 3 counters (hash)
-- ARGV: 1 counter of those purged, then the entries
-- Returns: how many there were
-- Never: deletes without counting
local count = 0
for i = 2, #ARGV do
  local ordered = redis.call('ZREM', KEYS[1], ARGV[i])
  local kept = redis.call('HDEL', KEYS[2], ARGV[i])
  if ordered == 1 or kept == 1 then count = count + 1 end
end
if count > 0 then redis.call('HINCRBY', KEYS[3], ARGV[1], count) end
return count
