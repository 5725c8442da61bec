-- Notes up to which number of the epoch everything is in PostgreSQL, for dashboards: all that is not in
-- the queue, once none of the batches named is there.
--
-- KEYS  1 books (hash)  2 queue (list)  then the batches that PostgreSQL knows and has not released
-- A batch that is still there changes nothing; the number never goes back.
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return end
end
local told = redis.call('HMGET', KEYS[1], 'accepted', 'stored')
local stored = math.max(0, (told[1] or 0) - redis.call('LLEN', KEYS[2]))
if stored > tonumber(told[2] or 0) then redis.call('HSET', KEYS[1], 'stored', stored) end
