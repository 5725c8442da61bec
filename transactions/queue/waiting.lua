-- The latest state of each id, in the index of the queue or one of those that the books name; nil for none.
--
-- KEYS  1 index (hash)  2 books (hash)
-- ARGV  ids
-- Returns as many values as there are ids, in their order.
local indexes = {KEYS[1]}
for older in string.gmatch(redis.call('HGET', KEYS[2], 'indexes') or '', '%S+') do
  indexes[#indexes + 1] = older
end
local states = {}
for number, id in ipairs(ARGV) do
  states[number] = false
  for _, index in ipairs(indexes) do
    states[number] = states[number] or redis.call('HGET', index, id)
  end
end
return states
