-- What tick, trigger, admit, strike and effects share: put in front of each of them.
-- KEYS: none of its own; the keys of ticks are in the book that open_book makes: running (hash: entry →
--       due time in ms, ms when it was enqueued, job), waiting (hash: entry → lines of due time in ms,
--       ms for which the job before counts as running, bytes of the job's id, list; then that id and
--       the message), log (stream)
-- ARGV: none of its own; open_book also takes the most lines of the log (about), and the time in ms
-- Returns: nothing
-- Never: parses a message; takes what somebody else wrote into these keys for a record of ours
local function open_book(running, waiting, log, most, now)
  redis.call('HLEN', running)
  redis.call('HLEN', waiting)
  redis.call('XLEN', log)
  return { running = running, waiting = waiting, log = log, most = most, now = now }
end

-- All lines have the same fields in one order: Redis then stores their names once.
local function log_tick(book, event, entry, due, job, missed, state)
  redis.call('XADD', book.log, 'MAXLEN', '~', book.most, '*', 'event', event, 'entry', entry,
    'due', due, 'at', book.now, 'job', job, 'missed', missed, 'state', state)
end

-- The job enqueued last of which nobody told the end; nil for what is no record too.
local function find_running(book, entry)
  local record = redis.call('HGET', book.running, entry)
  if not record then return nil end
  local due, at, job = string.match(record, '^(%-?%d+) (%-?%d+) (.*)$')
  if not due then return nil end
  return { due = due, at = tonumber(at), job = job }
end

local function find_waiting(book, entry)
  local record = redis.call('HGET', book.waiting, entry)
  if not record then return nil end
  local due, stale, bytes, list, rest =
    string.match(record, '^(%-?%d+)\n(%d+)\n(%d+)\n([^\n]*)\n()')
  if not due then return nil end
  local message = rest + tonumber(bytes)
  return {
    due = due, stale = tonumber(stale), list = list,
    job = string.sub(record, rest, message - 1), message = string.sub(record, message),
  }
end

local function is_list(key)
  local kind = redis.call('TYPE', key)['ok']
  return kind == 'list' or kind == 'none'
end

-- Whether a job counts as running: not too old, and without a record that it is over. A record that
-- cannot be read says nothing.
local function still_runs(book, last, stale, stem)
  if not last or tonumber(book.now) - last.at >= stale then return false end
  local record = redis.pcall('GET', stem .. last.job)
  if type(record) ~= 'string' then return true end
  local state = string.match(record, '^{"status": ?"(%u+)"')
  return state ~= 'SUCCESS' and state ~= 'FAILURE' and state ~= 'REVOKED'
end

-- From now on `job` is the entry's last; its message is on its list.
local function begin_job(book, entry, due, job)
  redis.call('HSET', book.running, entry, due .. ' ' .. book.now .. ' ' .. job)
  return { due = due, at = tonumber(book.now), job = job }
end

local function start_waiting(book, entry, waiting)
  redis.call('LPUSH', waiting.list, waiting.message)
  redis.call('HDEL', book.waiting, entry)
  log_tick(book, 'enqueued', entry, waiting.due, waiting.job, 0, '')
  return begin_job(book, entry, waiting.due, waiting.job)
end
