-- Takes from a token bucket: `tokens` as of `at` (microseconds of this server's clock), refilled by
-- reckoning, never by a timer.
--
-- KEYS  1 bucket (hash)
-- ARGV  1 tokens a second  2 tokens of a full bucket  3 least that is of use  4 most that is wanted
-- A bucket that would be full again is forgotten.
-- Returns how many were taken (0, or as many as there are from the least to the most), what is left.
local rate, burst, least, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = burst
if kept[1] then
  tokens = math.min(burst, kept[1] + math.max(0, now - kept[2]) * rate / 1000000)
end
if tokens < least then return {0, string.format('%.3f', tokens)} end
local taken = math.min(math.floor(tokens), most)
tokens = tokens - taken
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / rate * 1000) + 1000)
return {taken, string.format('%.3f', tokens)}
