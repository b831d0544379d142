-- Renews a worker's lease on everything it holds.
-- KEYS: 1 workers (zset: lease deadline in ms), 2 presence (hash), 3 unacked_index (zset),
--       4 overdue (hash)
-- ARGV: 1 worker, 2 length of the lease in ms, 3 presence record, then the tags it holds
-- Returns: array of the tags that are no longer in flight: settled meanwhile, or taken away
-- Never: adds a tag that a reaper took away; is refused because memory is full
local time = redis.call('TIME')
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2])
-- First, because it needs no memory: a server that has none refuses a script by its first write.
-- What follows overwrites what is there, so that it takes none either, but once for a new worker.
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('ZADD', KEYS[1], deadline, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
local gone = {}
for i = 4, #ARGV do
  if redis.call('ZSCORE', KEYS[3], ARGV[i]) then
    redis.call('ZADD', KEYS[3], 'XX', time[1], ARGV[i])
  else
    gone[#gone + 1] = ARGV[i]
  end
end
return gone
