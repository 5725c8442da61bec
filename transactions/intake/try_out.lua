-- Tries what the accepting script needs of Redis, and leaves everything as it was: each command that
-- it runs, on its keys where that changes nothing, else on a key of its own.
--
-- KEYS  1 queue (list)  2 index (hash)  3 books (hash)  4 feed (list)  5 a hash and  6 a list of its own
--
-- Returns how long the queue is. What Redis refuses - a command that its user may not run, a write
-- without memory, on a full disk or a replica - is the script's error. Only a script's first write is
-- refused for want of memory, so the first is one that takes some.
local queue, index, books, feed, hash, list = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
for _, key in ipairs({queue, index, books, feed}) do redis.call('TYPE', key) end
redis.call('HMGET', index, '')
redis.call('HMGET', books, 'generation')
redis.call('HSET', hash, 'count', 0)
redis.call('HINCRBY', hash, 'count', 1)
redis.call('RPUSH', list, '')
redis.call('UNLINK', hash, list)
redis.call('LTRIM', queue, 0, -1)
redis.call('LTRIM', feed, 0, -1)
return redis.call('LLEN', queue)
