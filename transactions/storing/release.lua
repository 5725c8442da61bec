-- Lets go of a batch that PostgreSQL has committed whole: safe at any time, from anywhere, however
-- often, since nothing in such a batch is still needed. The memory is freed by a thread of Redis'.
--
-- KEYS  1 batch (list)  2 index of the batch (hash)  3 books (hash)
-- The generation moves, so that look-ups made before are made again, and the name is kept: Redis
-- data that names an older batch than PostgreSQL does went back in time.
-- Over its memory limit Redis allows UNLINK, and whatever a script does after its first write; so that
-- comes first.
local batch, index, books = KEYS[1], KEYS[2], KEYS[3]
local batches, indexes = redis.call('UNLINK', batch), redis.call('UNLINK', index)
if batches + indexes == 0 then return end
local others = {}
for other in string.gmatch(redis.call('HGET', books, 'indexes') or '', '%S+') do
  if other ~= index then others[#others + 1] = other end
end
redis.call('HSET', books, 'indexes', table.concat(others, ' '))
redis.call('HINCRBY', books, 'generation', 1)
if batches == 1 then redis.call('HSET', books, 'released', batch) end
