-- An allowance is a part of the balance that ends with its period: `renewed` counts what allowances gave, `expired` what of
-- them ended unused. Fields of an account that has one, absent in all others:
--   allowance, allowancePeriod   microcredits for each 'day', 'week' or 'month'
--   allowanceEndsMs              end of the present period
--   allowanceNumber              its number; a hold belongs to the period in which it was made
--   allowanceHeld, allowanceUsed what the period's requests hold; what they hold and spent
--   allowanceLimit               how much of that the allowance pays; what is used beyond is paid by granted credits. It is the
--                                allowance, or what was used already when that was lowered, until holds bring it down (`limitOf`)
--   open:<number>, over:<number> of a past period whose requests still hold granted credits: what they hold in all, and how
--                                much of granted credits they hold and spent
-- Releases that know no allowance use the balance alone; so what is left of one is never taken for more than the balance.
--@include calendar

local function limitOf(allowance, limit, used)
  return math.max(allowance, math.min(limit, used))
end

local function leftOf(opened)
  return math.min(math.max(0, opened.limit - opened.used), opened.balance)
end

-- Changes the balance by a renewal (above zero) or an expiry, with one entry; where releases before it read that, it is a grant.
local function noteAllowance(opened, requestId, atMs, change)
  local kind = change > 0 and 'renewal' or 'expiry'
  redis.call('HINCRBY', opened.account, change > 0 and 'renewed' or 'expired', math.abs(change))
  opened.balance = redis.call('HINCRBY', opened.account, 'balance', change)
  redis.call('XADD', opened.ledger, 'MAXLEN', '~', opened.entriesKept, '*', 'kind', 'grant', 'allowance', kind, 'requestId',
    requestId, 'atMs', atMs, 'microcredits', change)
end

local function beginPeriod(opened, allowance, kind, now, atMs)
  local period = periodAt(kind, now)
  opened.allowance = allowance
  opened.kind = kind
  opened.endsMs = period.endsMs
  opened.number = opened.number + 1
  opened.held = 0
  opened.used = 0
  opened.limit = allowance
  redis.call('HSET', opened.account, 'allowance', allowance, 'allowancePeriod', kind, 'allowanceEndsMs', period.endsMs,
    'allowanceNumber', opened.number, 'allowanceHeld', 0, 'allowanceUsed', 0, 'allowanceLimit', allowance)
  noteAllowance(opened, period.name, atMs or period.startsMs, allowance)
end

local function endPeriod(opened, atMs)
  local unused = leftOf(opened)
  if unused > 0 then
    noteAllowance(opened, periodAt(opened.kind, opened.endsMs - 1).name, atMs, 0 - unused)
  end
  -- Without granted credits in use, all that comes back of the period's holds is allowance, and ends.
  local over = opened.used - opened.limit
  if over > 0 and opened.held > 0 then
    redis.call('HSET', opened.account, 'open:' .. opened.number, opened.held, 'over:' .. opened.number, over)
  end
end

-- The account as it is now: what is due of its allowance is renewed. One command where nothing is. Of periods in which nobody
-- asked nothing is given and nothing ends.
local function openAccount(account, ledger, now, entriesKept)
  local fields = redis.call('HMGET', account, 'balance', 'allowance', 'allowancePeriod', 'allowanceEndsMs', 'allowanceNumber',
    'allowanceHeld', 'allowanceUsed', 'allowanceLimit')
  local opened = {
    account = account,
    ledger = ledger,
    entriesKept = entriesKept,
    balance = tonumber(fields[1] or 0),
    allowance = fields[2] and tonumber(fields[2]),
    kind = fields[3],
    endsMs = tonumber(fields[4] or 0),
    number = tonumber(fields[5] or 0),
    held = tonumber(fields[6] or 0),
    used = tonumber(fields[7] or 0),
    limit = tonumber(fields[8] or 0),
  }
  if opened.allowance and now >= opened.endsMs then
    endPeriod(opened, opened.endsMs)
    beginPeriod(opened, opened.allowance, opened.kind, now)
  end
  return opened
end

-- What comes back within the period: granted credits as far as any were used, and then allowance, of which nothing ends
-- unless it was lowered meanwhile. Returns what ends.
local function giveBackNow(opened, held, unused)
  local used = opened.used - unused
  local limit = limitOf(opened.allowance, opened.limit, used)
  redis.call('HSET', opened.account, 'allowanceHeld', opened.held - held.hold, 'allowanceUsed', used, 'allowanceLimit', limit)
  return opened.limit - limit
end

-- What comes back after it: granted credits as far as any were used; the rest has ended with its period.
local function giveBackLate(opened, held, unused)
  local openField = 'open:' .. held.allowanceNumber
  local overField = 'over:' .. held.allowanceNumber
  local past = redis.call('HMGET', opened.account, openField, overField)
  if not past[1] then
    return unused
  end
  local open = tonumber(past[1]) - held.hold
  local beyond = math.min(unused, tonumber(past[2]))
  if open > 0 then
    redis.call('HSET', opened.account, openField, open, overField, tonumber(past[2]) - beyond)
  else
    redis.call('HDEL', opened.account, openField, overField)
  end
  return unused - beyond
end
