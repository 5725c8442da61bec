-- Makes the queue a batch, and the index of its records the batch's own, to be let go of with it.
--
-- KEYS  1 queue (list)  2 batch (list)  3 index (hash)  4 index of the batch (hash)  5 books (hash)
-- An empty queue, or a batch that is there, changes nothing: a flusher that was stopped may come
-- late. Over its memory limit Redis allows a rename, and whatever a script does after its first write;
-- so the rename comes first.
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('EXISTS', KEYS[2]) == 1 then return end
redis.call('RENAME', KEYS[1], KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('RENAME', KEYS[3], KEYS[4])
  local older = redis.call('HGET', KEYS[5], 'indexes')
  redis.call('HSET', KEYS[5], 'indexes', KEYS[4] .. ' ' .. (older or ''))
end
