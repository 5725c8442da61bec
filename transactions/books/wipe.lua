-- Redis' side of the deletion of everything, and its point of no return.
--
-- KEYS  1 queue (list)  2 index (hash)  3 books (hash)  4 feed (list)  then every batch and its index
-- ARGV  1 epoch
local generation = (string.match(redis.call('HGET', KEYS[3], 'generation') or '', '^%d+$') or '0') + 1
redis.call('UNLINK', unpack(KEYS))
redis.call('HSET', KEYS[3], 'epoch', ARGV[1], 'accepted', 0, 'generation', generation, 'emptying', 1)
