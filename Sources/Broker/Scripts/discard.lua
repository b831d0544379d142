-- Deletes keys that nobody has touched for a while.
-- KEYS: any number
-- ARGV: 1 for how many seconds each must have been idle
-- Returns: how many were deleted
-- Never: deletes a key that was used meanwhile, or whose idle time the server does not tell
local count = 0
for i = 1, #KEYS do
  local idle = redis.pcall('OBJECT', 'IDLETIME', KEYS[i])
  if type(idle) == 'number' and idle >= tonumber(ARGV[1]) then
    count = count + redis.call('UNLINK', KEYS[i])
  end
end
return count
