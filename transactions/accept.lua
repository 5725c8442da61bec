-- Accepts records: all that follows happens at once or not at all.
--
-- Lua does not roll back, so everything that can refuse is looked at before the first write. Bytes
-- are compared, numbers are never decoded: Lua loses integers over 2^53.
--
-- KEYS  1 queue (list)  2 index (hash: id -> state)  3 books (hash)
-- ARGV  1 longest queue  2 "1" for all or none  3 id of an epoch, should one have to be opened
--       4 the generation that the caller's look-ups stand on, "" for no look-ups
--       then five for each record:
--         id  status  facts "user\tamount"  created_at or "\N"  rest "accepted_at\trequest_id"
--       and a sixth, what PostgreSQL holds for that id, in the form of a state, "" for nothing
-- A state is  status \t user \t amount \t created_at \t accepted_at \t request_id
-- A queued record is  1 \t id \t state   (1 is the version of the format)
--
-- Returns {word, generation, accepted counter, verdicts, known states of the conflicts in order}
--   word      ok | refused (all or none, and there is a conflict) | full | stale | emptying
--   verdicts  a letter for each record: N new, S settles, R replayed, C conflict
local queue, index, books = KEYS[1], KEYS[2], KEYS[3]
local longest, atomic, looked_up = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[4]

local function must_be(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
  end
end
local wrong = must_be(queue, 'list') or must_be(index, 'hash') or must_be(books, 'hash')
if wrong then return wrong end

local head = redis.call('HMGET', books, 'generation', 'accepted', 'emptying')
local generation, accepted = head[1] or '0', tonumber(head[2] or '0')
if head[3] then return {'emptying', generation, accepted, ''} end

local FIRST, WIDTH = 5, 6
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
  if was_created == '\\N' then was_created = was_accepted end
  return was_facts ~= facts or (created ~= '\\N' and created ~= was_created), was_created
end

local verdicts, conflicts, pushes, sets, latest = {}, {}, {}, {}, {}
for i, id in ipairs(ids) do
  local at = FIRST + (i - 1) * WIDTH
  local status, facts, created, rest = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local before = latest[id] or known[i] or (ARGV[at + 5] ~= '' and ARGV[at + 5])
  local verdict = 'N'
  if before then
    local differ, was_created = differs(before, facts, created)
    local was = string.match(before, '^[^\t]*')
    if differ or (was ~= 'PENDING' and status ~= 'PENDING' and status ~= was) then
      verdict = 'C'
      conflicts[#conflicts + 1] = before
    elseif was == 'PENDING' and status ~= 'PENDING' then
      verdict = 'S'
      created = was_created
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
if atomic and #conflicts > 0 then return {'refused', generation, accepted, verdicts, unpack(conflicts)} end
if #pushes > 0 then
  if redis.call('LLEN', queue) + #pushes > longest then return {'full', generation, accepted, ''} end
  redis.call('HSET', index, unpack(sets))
  redis.call('RPUSH', queue, unpack(pushes))
  redis.call('HSETNX', books, 'epoch', ARGV[3])
  accepted = redis.call('HINCRBY', books, 'accepted', #pushes)
end
return {'ok', generation, accepted, verdicts, unpack(conflicts)}
