-- Lets go of records of a batch that PostgreSQL has committed whole: safe at any time, from
-- anywhere, however often, since nothing in such a batch is still needed.
--
-- KEYS  1 batch (list)  2 index (hash)  3 books (hash)
-- ARGV  1 records to let go of  2 name of the batch, at the first call for it, else ""
--       With the name the generation moves, so that look-ups made before are made again, and the
--       name is kept: Redis data that names an older batch than PostgreSQL does went back in time.
-- Only commands that Redis still allows over its memory limit come before the first write.
-- Returns how many records are left in the batch.
local batch, index, books = KEYS[1], KEYS[2], KEYS[3]
local lines = redis.call('LRANGE', batch, 0, ARGV[1] - 1)
local ids, states = {}, {}
for _, line in ipairs(lines) do
  local first = string.find(line, '\t', 1, true)
  local second = first and string.find(line, '\t', first + 1, true)
  if second then
    ids[#ids + 1] = string.sub(line, first + 1, second - 1)
    states[#states + 1] = string.sub(line, second + 1)
  end
end
if #ids > 0 then
  -- An id of which a later record waits (its settlement, say) keeps that record's state.
  local latest, gone = redis.call('HMGET', index, unpack(ids)), {}
  for i, id in ipairs(ids) do
    if latest[i] == states[i] then gone[#gone + 1] = id end
  end
  if #gone > 0 then redis.call('HDEL', index, unpack(gone)) end
end
redis.call('LTRIM', batch, #lines, -1)
if ARGV[2] ~= '' and #lines > 0 then
  redis.call('HINCRBY', books, 'generation', 1)
  redis.call('HSET', books, 'released', ARGV[2])
end
return redis.call('LLEN', batch)
