-- Reads some entries of the dead letters, of quarantine or of what is delayed, in their order.
-- KEYS: 1 order of the entries (zset), 2 entries (hash)
-- ARGV: 1 'asc' (oldest first) or 'desc', 2 a time in ms and 3 an entry: the place after which to
--       begin, whether the entry is still there or not; without an entry ('') the time is a bound:
--       'asc' begins at it, 'desc' below it, and '' means at the very beginning;
--       4 how many at most, 5 bytes after which it stops
-- Returns: flat array: entry, time in ms, record ('' when there is none), entry, …
-- Never: gives none although there are some; skips an entry because others went meanwhile
local ascends = ARGV[1] == 'asc'
local range = ascends and 'ZRANGE' or 'ZREVRANGE'

-- By bytes, as the set is ordered: Lua's own comparison depends on the server's locale.
local function precedes(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function first()
  local time, entry = ARGV[2], ARGV[3]
  if entry ~= '' then
    -- One that was given another time meanwhile is not the place any more.
    local score = redis.call('ZSCORE', KEYS[1], entry)
    if score and tonumber(score) == tonumber(time) then
      return redis.call(ascends and 'ZRANK' or 'ZREVRANK', KEYS[1], entry) + 1
    end
  elseif time == '' then
    return 0
  end
  local low = ascends and redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. time)
    or redis.call('ZCOUNT', KEYS[1], '(' .. time, '+inf')
  local same = redis.call('ZCOUNT', KEYS[1], time, time)
  if entry == '' then return ascends and low or low + same end
  local high = low + same
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = redis.call(range, KEYS[1], middle, middle)[1]
    local is_ahead
    if ascends then is_ahead = precedes(found, entry) else is_ahead = precedes(entry, found) end
    if is_ahead then low = middle + 1 else high = middle end
  end
  return low
end

local start = first()
local found = redis.call(range, KEYS[1], start, start + tonumber(ARGV[4]) - 1, 'WITHSCORES')
local bytes_left = tonumber(ARGV[5])
local answer = {}
for i = 1, #found, 2 do
  if bytes_left <= 0 then break end
  local record = redis.call('HGET', KEYS[2], found[i]) or ''
  bytes_left = bytes_left - #record
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = found[i + 1]
  answer[#answer + 1] = record
end
return answer
