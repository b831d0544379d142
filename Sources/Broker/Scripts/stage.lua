-- Puts messages aside that are too many for one step; they go nowhere until a step says so.
-- KEYS: 1 the list they are staged in
-- ARGV: 1 seconds until they are dropped if no step says so, then for each message: due time in ms
--       or 0, newline, list, newline, member of the delayed set, newline, message
-- Returns: how many are staged
-- Never: leaves the list without a time to live
local count = 0
for i = 2, #ARGV do count = redis.call('RPUSH', KEYS[1], ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return count
