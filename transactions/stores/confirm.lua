-- Writes something, so that whoever waits behind it for the replicas waits for all that came before.
--
-- KEYS  1 a key of its own
-- Over its memory limit Redis allows UNLINK, and whatever a script does after its first write.
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[1], '')
