-- Accepts records: all that follows happens at once or not at all.
--
-- Lua does not roll back, so everything that can refuse is looked at before the first write. Bytes
-- are compared, numbers are never decoded: Lua loses integers over 2^53.
--
-- KEYS  1 queue (list)  2 index (hash: id -> state)  3 books (hash)  4 feed (list)
--       What is being stored has indexes of its own, which the books name, the newest first.
-- ARGV  1 longest queue  2 "1" for all or none  3 id of an epoch, should one have to be opened
--       4 the generation that the caller's look-ups stand on, "" for no look-ups
--       5 how many records the feed keeps, at least
--       6 the records, a line each, as they would be queued: one argument, because redis-py and Redis
--         spend more on many arguments than all that follows takes
--       7 "1" where replicas have to confirm what the caller answers
--       then for each record that PostgreSQL holds: its id, and what is held, in the form of a state
-- A state is  status \t user \t amount \t created_at \t accepted_at \t request_id [\t settled_as_of]
-- A queued record is  1 \t id \t state   (1 is the version of the format; without the last field)
--
-- created_at belongs to the transaction, and a record that settles it changes nothing of that. The time
-- which such a record stated of its own is settled_as_of: by it the same record is recognised again.
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

local head = redis.call('HMGET', books, 'generation', 'accepted', 'emptying', 'epoch', 'indexes')
local generation, accepted, epoch = head[1] or '0', tonumber(head[2] or '0'), head[4] or ARGV[3]
local counted = head[2] or '0'
if #counted > 18 or not string.match(counted, '^%d+$') then
  return redis.error_reply('ERR ' .. books .. ' does not say how many were accepted')
end
if head[3] then return {'emptying', generation, accepted, ''} end

-- `entries` has ids and states by turns, as the index is given them.
local ids, lines, entries = {}, {}, {}
local records, at, count = ARGV[6], 1, 0
local find, sub = string.find, string.sub
while at <= #records do
  local stop = find(records, '\n', at, true) or #records + 1
  local tab = find(records, '\t', at + 2, true)
  local id = sub(records, at + 2, tab - 1)
  count = count + 1
  ids[count] = id
  lines[count] = sub(records, at, stop - 1)
  entries[2 * count - 1] = id
  entries[2 * count] = sub(records, tab + 1, stop - 1)
  at = stop + 1
end
local stored = {}
for i = 8, #ARGV, 2 do stored[ARGV[i]] = ARGV[i + 1] end
local known = redis.call('HMGET', index, unpack(ids))
for older in string.gmatch(head[5] or '', '%S+') do
  local places, unknown = {}, {}
  for i = 1, count do
    if not known[i] then
      places[#places + 1] = i
      unknown[#unknown + 1] = ids[i]
    end
  end
  if #unknown == 0 then break end
  local found = redis.call('HMGET', older, unpack(unknown))
  for j, i in ipairs(places) do known[i] = found[j] end
end

-- An id that a flush has just stored and let go of is in neither place the caller looked: it must
-- look again. Ids are let go of once a flush, and the generation moves with it.
if looked_up ~= '' and looked_up ~= generation then
  for i = 1, #ids do
    if not known[i] then return {'stale', generation, accepted, ''} end
  end
end

-- status, user and amount, created_at, accepted_at, request_id, and settled_as_of or ''
local function parsed(state)
  return string.match(state, '^([^\t]*)\t([^\t]*\t[^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t?(.*)$')
end

-- As nearly always: nothing is held of any id, and each is there once, so there is nothing to compare.
local function are_all_new()
  if #ARGV > 7 then return false end
  local seen = {}
  for i = 1, count do
    local id = ids[i]
    if known[i] or seen[id] then return false end
    seen[id] = true
  end
  return true
end

local all_new = are_all_new()
local verdicts, conflicts, pushes, shown, sets, latest = {}, {}, {}, {}, {}, {}
for i, id in ipairs(all_new and {} or ids) do
  local before = latest[id] or known[i] or stored[id]
  local verdict, line, state, show = 'N', lines[i], entries[2 * i], lines[i]
  if before then
    local status, facts, created, accepted_at, request_id = parsed(state)
    local was, was_facts, was_created, was_accepted, _, was_settled = parsed(before)
    local happened = was_created
    if was_created == '\\N' then
      -- It settled while PostgreSQL, which knows when it happened, could not be asked.
      local _, _, stored_created = parsed(stored[id] or '')
      happened = stored_created or was_accepted
    end
    local stated = created ~= '\\N' and created ~= happened
    if was_facts ~= facts
      -- Another time is stated of the same thing: of the transaction, or of its settlement.
      or (status == was and stated and created ~= was_settled)
      or (status ~= was and was ~= 'PENDING' and status ~= 'PENDING') then
      verdict = 'C'
      conflicts[#conflicts + 1] = before
    elseif was == 'PENDING' and status ~= 'PENDING' then
      verdict = 'S'
      -- Of the first record too: when it happened stays unstated, since a transaction that only
      -- PostgreSQL knows, and cannot be asked about now, may have happened at another moment.
      if was_created == '\\N' then accepted_at = was_accepted end
      state = table.concat({status, facts, was_created, accepted_at, request_id}, '\t')
      show = '1\t' .. id .. '\t' .. state
      line = show
      if stated then
        -- The flush keeps it beside the row.
        line = '1\t' .. id .. '\t' .. table.concat({status, facts, created, accepted_at, request_id}, '\t')
        state = state .. '\t' .. created
      end
    else
      verdict = 'R'
    end
  end
  verdicts[i] = verdict
  if verdict == 'N' or verdict == 'S' then
    latest[id] = state
    pushes[#pushes + 1] = line
    shown[#shown + 1] = show
    sets[#sets + 1] = id
    sets[#sets + 1] = state
  end
end

verdicts = table.concat(verdicts)
if all_new then verdicts, pushes, shown, sets = string.rep('N', count), lines, lines, entries end
if atomic and #conflicts > 0 then return {'refused', generation, accepted, verdicts, epoch, unpack(conflicts)} end
if #pushes > 0 then
  if redis.call('LLEN', queue) + #pushes > longest then return {'full', generation, accepted, ''} end
  redis.call('HSET', index, unpack(sets))
  redis.call('RPUSH', queue, unpack(pushes))
  if not head[4] then
    redis.call('HSET', books, 'epoch', epoch)
    redis.call('UNLINK', feed)
  end
  redis.call('RPUSH', feed, unpack(shown))
  local before = accepted
  accepted = redis.call('HINCRBY', books, 'accepted', #pushes)
  -- Now and then, not at every call: a tenth more is kept meanwhile.
  local step = feed_records / 10
  if math.floor(accepted / step) > math.floor(before / step) then
    redis.call('LTRIM', feed, -feed_records, -1)
  end
end
if ARGV[7] == '1' and #pushes < count then
  -- Replicas are waited for up to the caller's last write. Without one a replay would be confirmed at once,
  -- by nobody.
  redis.call('HSET', books, 'replayed', count - #pushes)
end
return {'ok', generation, accepted, verdicts, epoch, unpack(conflicts)}
