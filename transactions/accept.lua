-- Accepts records: all that follows happens at once or not at all.
--
-- Lua does not roll back, so everything that can refuse is looked at before the first write. Bytes
-- are compared, numbers are never decoded: Lua loses integers over 2^53.
--
-- KEYS  1 queue (list)  2 index (hash: id -> state)  3 books (hash)  4 feed (list)
-- ARGV  1 longest queue  2 "1" for all or none  3 id of an epoch, should one have to be opened
--       4 the generation that the caller's look-ups stand on, "" for no look-ups
--       5 how many records the feed keeps, at least
--       then five for each record:
--         id  status  facts "user\tamount"  created_at or "\N"  rest "accepted_at\trequest_id"
--       and a sixth, what PostgreSQL holds for that id, in the form of a state, "" for nothing
-- A state is  status \t user \t amount \t created_at \t accepted_at \t request_id
-- A queued record is  1 \t id \t state   (1 is the version of the format)
--
-- The feed holds the latest queued records again, for dashboards: the i-th from its end is record
-- number `accepted` - i of the epoch, counted from 0.
--
-- Returns {word, generation, accepted counter, verdicts, epoch, known states of the conflicts in order}
--   word      ok | refused (all or none, and there is a conflict) | full | stale | emptying
--   verdicts  a letter for each record: N new, S settles, R replayed, C conflict
local queue, index, books, feed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local longest, atomic, looked_up = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[4]
local feed_records = tonumber(ARGV[5])

local function must_be(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
  end
end
local wrong = must_be(queue, 'list') or must_be(index, 'hash') or must_be(books, 'hash')
  or must_be(feed, 'list')
if wrong then return wrong end

local head = redis.call('HMGET', books, 'generation', 'accepted', 'emptying', 'epoch')
local generation, accepted, epoch = head[1] or '0', tonumber(head[2] or '0'), head[4] or ARGV[3]
if head[3] then return {'emptying', generation, accepted, ''} end

local FIRST, WIDTH = 6, 6
local ids = {}
for at = FIRST, #ARGV, WIDTH do ids[#ids + 1] = ARGV[at] end
local known = redis.call('HMGET', index, unpack(ids))

-- An id that a flush has just stored and let go of is in neither place the caller looked: it must
-- look again. Ids are let go of once a flush, and the generation moves with it.
if looked_up ~= '' and looked_up ~= generation then
  for i = 1, #ids do
    if not known[i] then return {'stale', generation, accepted, ''} end
  end
end

local function differs(state, facts, created)
  local _, was_facts, was_created, was_accepted =
    string.match(state, '^([^\t]*)\t([^\t]*\t[^\t]*)\t([^\t]*)\t([^\t]*)')
  local happened = was_created == '\\N' and was_accepted or was_created
  return was_facts ~= facts or (created ~= '\\N' and created ~= happened), was_created, was_accepted
end

local verdicts, conflicts, pushes, sets, latest = {}, {}, {}, {}, {}
for i, id in ipairs(ids) do
  local at = FIRST + (i - 1) * WIDTH
  local status, facts, created, rest = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local before = latest[id] or known[i] or (ARGV[at + 5] ~= '' and ARGV[at + 5])
  local verdict = 'N'
  if before then
    local differ, was_created, was_accepted = differs(before, facts, created)
    local was = string.match(before, '^[^\t]*')
    if differ or (was ~= 'PENDING' and status ~= 'PENDING' and status ~= was) then
      verdict = 'C'
      conflicts[#conflicts + 1] = before
    elseif was == 'PENDING' and status ~= 'PENDING' then
      verdict = 'S'
      created = was_created
      -- Of the first record too: when it happened stays unstated, since a transaction that only
      -- PostgreSQL knows, and cannot be asked about now, may have happened at another moment.
      if created == '\\N' then rest = was_accepted .. string.match(rest, '\t.*$') end
    else
      verdict = 'R'
    end
  end
  verdicts[i] = verdict
  if verdict == 'N' or verdict == 'S' then
    local state = status .. '\t' .. facts .. '\t' .. created .. '\t' .. rest
    latest[id] = state
    pushes[#pushes + 1] = '1\t' .. id .. '\t' .. state
    sets[#sets + 1] = id
    sets[#sets + 1] = state
  end
end

verdicts = table.concat(verdicts)
if atomic and #conflicts > 0 then return {'refused', generation, accepted, verdicts, epoch, unpack(conflicts)} end
if #pushes > 0 then
  if redis.call('LLEN', queue) + #pushes > longest then return {'full', generation, accepted, ''} end
  redis.call('HSET', index, unpack(sets))
  redis.call('RPUSH', queue, unpack(pushes))
  if not head[4] then
    redis.call('HSET', books, 'epoch', epoch)
    redis.call('UNLINK', feed)
  end
  redis.call('RPUSH', feed, unpack(pushes))
  local before = accepted
  accepted = redis.call('HINCRBY', books, 'accepted', #pushes)
  -- Now and then, not at every call: a tenth more is kept meanwhile.
  local step = feed_records / 10
  if math.floor(accepted / step) > math.floor(before / step) then
    redis.call('LTRIM', feed, -feed_records, -1)
  end
end
return {'ok', generation, accepted, verdicts, epoch, unpack(conflicts)}
