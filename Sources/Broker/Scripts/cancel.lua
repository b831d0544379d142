-- Records wishes about jobs that wait, run, or have yet to come: that they end, or do not begin.
-- KEYS: 1 cancelled, revoked or revoked stamps (zset: id or stamp → time in ms it was asked for)
-- ARGV: 1 seconds a record is kept, 2 the most records kept, then the ids or stamps
-- Returns: how many records were dropped to make room
-- Never: grows beyond the limit
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[1]) * 1000)
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[1]) * 1000)
local excess = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[2])
if excess <= 0 then return 0 end
redis.call('ZPOPMIN', KEYS[1], excess)
return excess
