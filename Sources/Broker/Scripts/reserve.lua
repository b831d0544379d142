-- Takes messages from lists, in order, and records each as in flight: one atomic step.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset), 3 fence (string), 4 workers (zset: lease deadline
--       in ms), 5… lists, most urgent first
-- ARGV: 1 how many at most, 2 how many bytes may be exceeded by the last chunk only, 3 tag prefix,
--       4 the worker, 5 length of its lease in ms, 6… for each list the text that closes its record in `unacked`: ,"","<queue>"]
-- Returns: flat array: fence, index of the list, message, index of the list, message, …; the tag of
--          the nth message is prefix .. n, its fence the first element + n; empty when there is none
-- Never: parses a message; gives one to a worker that no reaper would find; leaves a popped message unrecorded (a refused write puts all back); gives
--        a fence that is not greater than all before it
-- The texts of the numbers: making one costs more than all the rest of a tag.
local texts = {
  '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15', '16', '17',
  '18', '19', '20', '21', '22', '23', '24', '25', '26', '27', '28', '29', '30', '31', '32', '33',
  '34', '35', '36', '37', '38', '39', '40', '41', '42', '43', '44', '45', '46', '47', '48', '49',
  '50', '51', '52', '53', '54', '55', '56', '57', '58', '59', '60', '61', '62', '63', '64', '65',
  '66', '67', '68', '69', '70', '71', '72', '73', '74', '75', '76', '77', '78', '79', '80', '81',
  '82', '83', '84', '85', '86', '87', '88', '89', '90', '91', '92', '93', '94', '95', '96', '97',
  '98', '99', '100', '101', '102', '103', '104', '105', '106', '107', '108', '109', '110', '111',
  '112', '113', '114', '115', '116', '117', '118', '119', '120', '121', '122', '123', '124',
  '125', '126', '127', '128',
}
local wanted = tonumber(ARGV[1])
local bytes_left = tonumber(ARGV[2])
local prefix = ARGV[3]
local chunk = 16
local time = redis.call('TIME')
local now = time[1]
local taken, records, scores = { 0 }, {}, {}
local count = 0

for list = 5, #KEYS do
  while count < wanted and bytes_left > 0 do
    local want = math.min(chunk, wanted - count)
    local messages = redis.call('RPOP', KEYS[list], want)
    if not messages then break end
    for i = 1, #messages do
      count = count + 1
      local message = messages[i]
      bytes_left = bytes_left - #message
      local tag = prefix .. (texts[count] or count)
      taken[count * 2] = list - 4
      taken[count * 2 + 1] = message
      records[count * 2 - 1] = tag
      records[count * 2] = '[' .. message .. ARGV[list + 1]
      scores[count * 2 - 1] = now
      scores[count * 2] = tag
    end
    if #messages < want then break end
  end
  if count >= wanted or bytes_left <= 0 then break end
end

if count == 0 then return {} end

-- A worker that was struck off while it was stopped, its wait still under way, is listed again.
local deadline = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[5])
redis.pcall('ZADD', KEYS[4], 'NX', string.format('%.0f', deadline), ARGV[4])

-- The clock lets fences rise through a restart from an older copy, the key through a clock set back.
local fence = math.max(tonumber(redis.call('GET', KEYS[3]) or 0), time[1] * 1000000 + time[2])
taken[1] = fence

local written = redis.pcall('HSET', KEYS[1], unpack(records))
if type(written) ~= 'table' or not written.err then
  written = redis.pcall('ZADD', KEYS[2], unpack(scores))
end
if type(written) ~= 'table' or not written.err then
  written = redis.pcall('SET', KEYS[3], string.format('%.0f', fence + count))
end
if type(written) == 'table' and written.err then
  for i = count, 1, -1 do
    redis.call('RPUSH', KEYS[taken[i * 2] + 4], taken[i * 2 + 1])
    redis.pcall('HDEL', KEYS[1], records[i * 2 - 1])
    redis.pcall('ZREM', KEYS[2], records[i * 2 - 1])
  end
  return written
end
return taken
