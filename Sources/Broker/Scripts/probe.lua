-- Tries what workers do, in forms that change nothing: each names a member that cannot exist.
-- KEYS: 1 unacked (hash), 2 unacked_index (zset), 3 delayed (zset), 4 a key that does not exist
-- ARGV: 1 a member that does not exist
-- Returns: array of the errors, as text; empty when everything is allowed
-- Never: changes anything
local tries = {
  { 'HDEL', KEYS[1], ARGV[1] }, { 'ZADD', KEYS[2], 'XX', 0, ARGV[1] },
  { 'ZREM', KEYS[2], ARGV[1] }, { 'ZADD', KEYS[3], 'XX', 0, ARGV[1] },
  { 'LMOVE', KEYS[4], KEYS[4], 'RIGHT', 'LEFT' }, { 'RPOP', KEYS[4], 1 },
  { 'LPUSHX', KEYS[4], ARGV[1] }, { 'XADD', KEYS[4], 'NOMKSTREAM', '*', ARGV[1], '' },
  { 'XLEN', KEYS[4] },
}
local errors = {}
for i = 1, #tries do
  local answer = redis.pcall(unpack(tries[i]))
  if type(answer) == 'table' and answer.err then errors[#errors + 1] = answer.err end
end
return errors
