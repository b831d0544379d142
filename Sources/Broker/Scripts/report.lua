-- Writes how a job stands while it runs.
-- KEYS: 1 its result (string, also the channel)
-- ARGV: 1 the record, 2 seconds to keep it (0 keeps it for ever)
-- Returns: 1
-- Never: overwrites a record that says SUCCESS with another state
store_result(KEYS[1], ARGV[1], tonumber(ARGV[2]))
return 1
