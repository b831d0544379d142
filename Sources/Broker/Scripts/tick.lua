-- Carries out and records what a scheduler decided about one tick: one atomic step.
-- KEYS: 1 ticks (hash: entry → due time in ms of its newest tick), 2–4 as in ticks (running, waiting,
--       log), 5 list of the message, if there is one
-- ARGV: 1 entry, 2 due time in ms, 3 the newest tick that the decision was made on, in ms, 4 how many
--       ticks between them are given up, 5 time in ms, 6 the most lines of the log (about), 7 what the
--       keys of results begin with, 8 the overlap policy (allow, skip, queue_one), or why the tick is
--       passed over without a message; then with a message: 9 ms for which a job counts as running,
--       10 job, 11 message
-- Returns: enqueued, waiting, overlapped or passed; '' when that is not the newest tick (any more), or
--          this one is no later: nothing was done
-- Never: writes anything before everything was found to be of the right type; records a tick without
--        doing what it says; drops a tick that waits without a line in the log
local entry, due, missed, stem, action = ARGV[1], ARGV[2], ARGV[4], ARGV[7], ARGV[8]
local newest = redis.call('HGET', KEYS[1], entry)
if newest ~= ARGV[3] or tonumber(due) <= tonumber(newest) then return '' end
local book = open_book(KEYS[2], KEYS[3], KEYS[4], ARGV[6], ARGV[5])
if KEYS[5] then redis.call('LLEN', KEYS[5]) end
local last, waiting = find_running(book, entry), find_waiting(book, entry)
-- One that waits behind a job of which nobody told the end goes first, whatever comes now.
local goes_first = waiting
  and (action == 'allow' or not still_runs(book, last, waiting.stale, stem))
if goes_first then redis.call('LLEN', waiting.list) end

redis.call('HSET', KEYS[1], entry, due)
if goes_first then last = start_waiting(book, entry, waiting) end
if not KEYS[5] then
  log_tick(book, action, entry, due, '', missed, '')
  return 'passed'
end
local stale, job, message = ARGV[9], ARGV[10], ARGV[11]
if action == 'allow' or not still_runs(book, last, tonumber(stale), stem) then
  redis.call('LPUSH', KEYS[5], message)
  begin_job(book, entry, due, job)
  log_tick(book, 'enqueued', entry, due, job, missed, '')
  return 'enqueued'
end
if action == 'skip' then
  log_tick(book, 'overlapped', entry, due, '', missed, '')
  return 'overlapped'
end
if waiting and not goes_first then
  log_tick(book, 'overlapped', entry, waiting.due, waiting.job, 0, '')
end
redis.call('HSET', book.waiting, entry,
  table.concat({ due, stale, #job, KEYS[5], job .. message }, '\n'))
log_tick(book, 'waiting', entry, due, job, missed, '')
return 'waiting'
