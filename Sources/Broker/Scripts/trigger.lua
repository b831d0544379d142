-- Enqueues the job of a schedule entry besides its ticks.
-- KEYS: 1 list, 2–4 as in ticks (running, waiting, log)
-- ARGV: 1 entry, 2 time in ms, 3 the most lines of the log (about), 4 job, 5 message
-- Returns: 1
-- Never: enqueues what is not in the log; touches the entry's ticks
local book = open_book(KEYS[2], KEYS[3], KEYS[4], ARGV[3], ARGV[2])
redis.call('LLEN', KEYS[1])
redis.call('LPUSH', KEYS[1], ARGV[5])
log_tick(book, 'triggered', ARGV[1], ARGV[2], ARGV[4], 0, '')
return 1
