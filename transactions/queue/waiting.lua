-- The latest state of an id, in the index of the queue or one of those that the books name.
--
-- KEYS  1 index (hash)  2 books (hash)
-- ARGV  1 id
local found = redis.call('HGET', KEYS[1], ARGV[1])
for older in string.gmatch(redis.call('HGET', KEYS[2], 'indexes') or '', '%S+') do
  found = found or redis.call('HGET', older, ARGV[1])
end
return found
