-- Where the numbers stand and the records after number ARGV[2] of epoch ARGV[1], all of one moment.
-- The feed's last is the last accepted. Of another epoch everything there is; of records that the feed
-- no longer has, those after them. Reads only.
--
-- KEYS  1 books (hash)  2 feed (list)
-- ARGV  1 epoch  2 number
-- Returns {epoch, accepted, stored, last lines of the feed in order}
local told = redis.call('HMGET', KEYS[1], 'epoch', 'accepted', 'stored')
local epoch, accepted, stored = told[1] or '', tonumber(told[2] or '0'), tonumber(told[3] or '0')
local wanted = accepted - ARGV[2]
if epoch ~= ARGV[1] then wanted = accepted end
local lines = {}
if wanted > 0 then lines = redis.call('LRANGE', KEYS[2], -wanted, -1) end
return {epoch, accepted, stored, lines}
