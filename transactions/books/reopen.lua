-- Redis' side of new books: they open with what is still there. The feed begins anew, since its numbers
-- do; the indexes of batches stay, so that the ids in them go on being recognised.
--
-- KEYS  1 books (hash)  2 feed (list)  3 queue (list)  then every batch that is there (lists)
-- ARGV  1 epoch
-- Whatever somebody wrote there by hand: the count of a book that is damaged begins again.
local generation = (string.match(redis.call('HGET', KEYS[1], 'generation') or '', '^%d+$') or '0') + 1
local accepted = 0
local indexes = redis.call('HGET', KEYS[1], 'indexes') or ''
for i = 3, #KEYS do accepted = accepted + redis.call('LLEN', KEYS[i]) end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'accepted', accepted, 'generation', generation,
           'indexes', indexes)
