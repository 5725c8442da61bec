-- Notes which server is the primary, and when that became another one; a restart of the same is none.
--
-- KEYS  1 what is noted
-- ARGV  1 the address of the primary, 2 now, in seconds since 1970
local before = redis.call('HGET', KEYS[1], 'address')
if before == ARGV[1] then
    return
end
if before then
    redis.call('HSET', KEYS[1], 'taken_over_at', ARGV[2])
end
redis.call('HSET', KEYS[1], 'address', ARGV[1])
