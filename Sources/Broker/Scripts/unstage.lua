-- Moves messages that were staged and are meant to be sent to their lists, or aside until their time;
-- aside.lua stands in front.
-- KEYS: 1 delayed (zset), 2 delayed messages (hash), 3 staging (zset: lists to be sent), 4 the list
-- ARGV: 1 how many at most, 2 bytes after which it stops
-- Returns: how many are left; -1 when they are not (or no more) to be sent
-- Never: moves what no step has said is to be sent; moves a message twice
if not redis.call('ZSCORE', KEYS[3], KEYS[4]) then return -1 end
local bytes_left = tonumber(ARGV[2])
local items = redis.call('LRANGE', KEYS[4], 0, tonumber(ARGV[1]) - 1)
local moves = {}
for i = 1, #items do
  if bytes_left <= 0 then break end
  local item = items[i]
  bytes_left = bytes_left - #item
  local first = string.find(item, '\n', 1, true)
  local second = string.find(item, '\n', first + 1, true)
  local third = string.find(item, '\n', second + 1, true)
  local list = string.sub(item, first + 1, second - 1)
  redis.call('LLEN', list)
  moves[i] = { string.sub(item, 1, first - 1), list, string.sub(item, second + 1, third - 1), third }
end
redis.call('ZCARD', KEYS[1])
redis.call('HLEN', KEYS[2])
for i = 1, #moves do
  local due, list, member, third = moves[i][1], moves[i][2], moves[i][3], moves[i][4]
  local message = string.sub(items[i], third + 1)
  if due == '0' then
    redis.call('LPUSH', list, message)
  else
    put_aside(KEYS[1], KEYS[2], due, member, list .. '\n' .. message)
  end
end
redis.call('LTRIM', KEYS[4], #moves, -1)
local left = redis.call('LLEN', KEYS[4])
if left == 0 then redis.call('ZREM', KEYS[3], KEYS[4]) end
return left
