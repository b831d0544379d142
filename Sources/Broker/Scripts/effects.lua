-- What conclude, finish, publish and annul share, behind result.lua, aside.lua and ticks.lua: what
-- follows from the end of a job.
-- KEYS: 1 delayed (zset), 2 delayed messages (hash), 3 staging (zset), 4 open chords (zset: when to
--       look again, in ms), 5 their entries (hash); theirs begin at 6
-- ARGV: from a position on: seconds to keep a result (0: for ever), seconds to keep a chord, seconds
--       a claim lasts, ms until an open chord is looked at again, the most open chords recorded, list
--       of messages staged beforehand ('' for none), and how many there are of: saved groups (key,
--       record); chord sizes (key of the claim, of the size, number); extra parts (key); messages
--       (list, due time in ms or 0, `<job id>/<something unique>`, message); records (key, record);
--       parts (group, keys of parts, extra parts, size, counted members, saved group, claim; member,
--       score, part, token, entry; key of the record that must not say yet that it failed, or '');
--       ended ticks (keys of running, waiting and log, the most lines of the log, time in ms; entry,
--       due time in ms, job, how it ended)
-- Returns: check_effects a plan, write_effects for each part how many there are when it is ours to
--          end the chord, else 0
-- Never: writes anything before everything was found to be of the right type, so that a refusal
--        leaves nothing half done; counts a member twice; parses a message
local function has_failed(key)
  local record = redis.call('GET', key)
  if not record then return false end
  return string.find(record, '^{"status": ?"FAILURE"') ~= nil
    or string.find(record, '^{"status": ?"REVOKED"') ~= nil
end

-- Raises when `key` counts something and holds no number: INCR of such a key changes nothing.
local function check_number(key)
  local value = redis.call('GET', key)
  if value and not string.find(value, '^%-?%d+$') then redis.call('INCR', key) end
end

local function check_effects(first)
  local plan = {
    result_ttl = tonumber(ARGV[first]),
    chord_ttl = tonumber(ARGV[first + 1]),
    claim = tonumber(ARGV[first + 2]),
    look = tonumber(ARGV[first + 3]),
    most = tonumber(ARGV[first + 4]),
    staged = ARGV[first + 5],
    skipped = {},
    is_list = {},
  }
  local widths = { 2, 3, 1, 4, 2, 13, 9 }
  local at = first + 13
  for kind = 1, 7 do
    local count = tonumber(ARGV[first + 5 + kind])
    plan[kind] = { at, at + count * widths[kind] - 1, widths[kind] }
    at = at + count * widths[kind]
  end
  redis.call('ZCARD', KEYS[1])
  redis.call('HLEN', KEYS[2])
  redis.call('ZCARD', KEYS[3])
  redis.call('ZCARD', KEYS[4])
  redis.call('HLEN', KEYS[5])
  plan.is_staged_gone = plan.staged ~= '' and redis.call('LLEN', plan.staged) == 0
  for i = plan[3][1], plan[3][2] do check_number(ARGV[i]) end
  local seen = {}
  for i = plan[4][1], plan[4][2], 4 do
    local list = ARGV[i]
    if not seen[list] then
      redis.call('LLEN', list)
      seen[list] = true
    end
  end
  for i = plan[5][1], plan[5][2], 2 do redis.call('STRLEN', ARGV[i]) end
  for i = plan[6][1], plan[6][2], 13 do
    local kind = redis.call('TYPE', ARGV[i + 1])['ok']
    plan.is_list[ARGV[i + 1]] = kind == 'list'
    if kind ~= 'list' then redis.call('ZCARD', ARGV[i + 1]) end
    redis.call('SCARD', ARGV[i + 4])
    redis.call('STRLEN', ARGV[i + 2])
    redis.call('STRLEN', ARGV[i + 3])
    redis.call('STRLEN', ARGV[i + 6])
    if ARGV[i + 12] ~= '' then plan.skipped[i] = has_failed(ARGV[i + 12]) end
  end
  plan.ends = {}
  for i = plan[7][1], plan[7][2], 9 do
    local book = open_book(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
    local last = find_running(book, ARGV[i + 5])
    local is_last = last and last.job == ARGV[i + 7]
    local waiting = is_last and find_waiting(book, ARGV[i + 5])
    if waiting then redis.call('LLEN', waiting.list) end
    plan.ends[i] = { book = book, is_last = is_last, waiting = waiting }
  end
  return plan
end

local function now_in_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function remember(group, entry, due, is_claimed, most)
  due = string.format('%.0f', due)
  if is_claimed then
    redis.call('HSET', KEYS[5], group, entry)
    redis.call('ZADD', KEYS[4], due, group)
  elseif redis.call('ZSCORE', KEYS[4], group) or redis.call('ZCARD', KEYS[4]) < most then
    redis.call('HSETNX', KEYS[5], group, entry)
    redis.call('ZADD', KEYS[4], due, group)
  end
end

local function add_part(plan, i, now)
  local group, parts, extras, size, counted, saved, claim = ARGV[i], ARGV[i + 1], ARGV[i + 2],
    ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6]
  local member, score, part, token, entry = ARGV[i + 7], ARGV[i + 8], ARGV[i + 9], ARGV[i + 10],
    ARGV[i + 11]
  local is_over = redis.call('GET', claim) == 'done'
  local is_list = plan.is_list[parts]
  if redis.call('SADD', counted, member) == 1 then
    if is_list then
      redis.call('RPUSH', parts, part)
    else
      redis.call('ZADD', parts, score, part)
    end
  end
  if is_over then
    -- A late duplicate, and then it is forgotten soon; or the first members of a chord that is sent
    -- once more, by a client that says so only before it sends the last.
    local soon = math.max(redis.call('TTL', claim), 0) + 60
    redis.call('EXPIRE', parts, soon)
    redis.call('EXPIRE', counted, soon)
    return 0
  end
  for _, key in ipairs({ parts, extras, size, counted, saved }) do
    redis.call('EXPIRE', key, plan.chord_ttl)
  end
  local there = redis.call(is_list and 'LLEN' or 'ZCARD', parts)
  local wanted = tonumber(redis.call('GET', size) or '')
  local extra = tonumber(redis.call('GET', extras) or '') or 0
  local is_mine = wanted and there >= wanted + extra
    and redis.call('SET', claim, token, 'NX', 'EX', plan.claim)
  if is_mine then
    -- Later than the claim: who looks then finds it gone, or its owner alive.
    remember(group, entry, now + plan.claim * 1000 + 500, true, plan.most)
    return there
  end
  remember(group, entry, now + plan.look, false, plan.most)
  return 0
end

local function write_effects(plan)
  local now = now_in_ms()
  for i = plan[1][1], plan[1][2], 2 do
    redis.call('SET', ARGV[i], ARGV[i + 1], 'EX', plan.chord_ttl)
  end
  for i = plan[2][1], plan[2][2], 3 do
    redis.call('SET', ARGV[i + 1], ARGV[i + 2], 'EX', plan.chord_ttl)
    redis.call('DEL', ARGV[i])
  end
  for i = plan[3][1], plan[3][2] do
    redis.call('INCR', ARGV[i])
    redis.call('EXPIRE', ARGV[i], plan.chord_ttl)
  end
  if plan.staged ~= '' then
    redis.call('ZADD', KEYS[3], string.format('%.0f', now), plan.staged)
    redis.call('PERSIST', plan.staged)
  end
  for i = plan[4][1], plan[4][2], 4 do
    local list, due, member, message = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    if due == '0' then
      redis.call('LPUSH', list, message)
    else
      put_aside(KEYS[1], KEYS[2], due, member, list .. '\n' .. message)
    end
  end
  for i = plan[5][1], plan[5][2], 2 do store_result(ARGV[i], ARGV[i + 1], plan.result_ttl) end
  local answers = {}
  for i = plan[6][1], plan[6][2], 13 do
    answers[#answers + 1] = plan.skipped[i] and 0 or add_part(plan, i, now)
  end
  for i = plan[7][1], plan[7][2], 9 do
    local ended, entry = plan.ends[i], ARGV[i + 5]
    log_tick(ended.book, 'ended', entry, ARGV[i + 6], ARGV[i + 7], 0, ARGV[i + 8])
    if ended.waiting then
      start_waiting(ended.book, entry, ended.waiting)
    elseif ended.is_last then
      redis.call('HDEL', ended.book.running, entry)
    end
  end
  return answers
end
