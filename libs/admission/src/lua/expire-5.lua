--[[
  Ends a request whose lease has run out, because its replica is dead: what a worker reported of it is charged, the rest of
  its hold goes back, and the ledger says so.

  Guarantee: exactly once, and never while the lease lives; a later settlement finds the request ended. O(log leases).

  KEYS[1] leases (sorted set)   KEYS[2] account (hash)   KEYS[3] reservation (hash)   KEYS[4] ledger (stream)
  KEYS[5] usage of the day (hash)
  ARGV[1] now in ms or ''   ARGV[2] request id   ARGV[3] ms that must have passed since the lease's end
  ARGV[4] ledger entries kept   ARGV[5] ms for which the end is remembered   ARGV[6] ms for which usage is kept
  Returns 'expired' | 'live' | 'ended'
]]
--@include now
--@include account
--@include usage
local leases = KEYS[1]
local account = KEYS[2]
local reservation = KEYS[3]
local ledger = KEYS[4]
local usage = KEYS[5]
local now = timeMs(ARGV[1])
local requestId = ARGV[2]
local graceMs = tonumber(ARGV[3])
local entriesKept = ARGV[4]
local rememberMs = tonumber(ARGV[5])

local endsMs = redis.call('ZSCORE', leases, requestId)
if not endsMs then
  return 'ended'
end
if tonumber(endsMs) + graceMs > now then
  return 'live'
end
redis.call('ZREM', leases, requestId)
local held = redis.call('HMGET', reservation, 'state', 'hold', 'unlimited', 'model', 'keyId', 'usedPrompt', 'usedCached',
  'usedCompletion', 'promptPrice', 'cachedPrice', 'completionPrice', 'allowanceNumber')
if held[1] ~= 'held' then
  return 'ended'
end
local hold = tonumber(held[2])
local model = held[4] or ''
local promptTokens = tonumber(held[6] or 0)
local cachedTokens = math.min(tonumber(held[7] or 0), promptTokens)
local completionTokens = tonumber(held[8] or 0)
local charge = math.ceil(((promptTokens - cachedTokens) * tonumber(held[9] or 0) + cachedTokens * tonumber(held[10] or 0)
  + completionTokens * tonumber(held[11] or 0)) / 1000)
charge = math.min(charge, hold)
local credits = { hold = hold, unlimited = held[3] == '1', allowanceNumber = tonumber(held[12]) }
endHold(account, ledger, now, entriesKept, requestId, credits, charge)
redis.call('HSET', reservation, 'state', 'expired', 'charge', charge)
redis.call('PEXPIRE', reservation, rememberMs)
redis.call('XADD', ledger, 'MAXLEN', '~', entriesKept, '*', 'kind', 'usage', 'requestId', requestId, 'atMs', now,
  'outcome', 'expired', 'model', model, 'keyId', held[5] or '', 'promptTokens', promptTokens, 'cachedTokens', cachedTokens,
  'completionTokens', completionTokens, 'microcredits', charge)
if charge > 0 then
  countUsage(usage, model, held[5] or '', promptTokens, cachedTokens, completionTokens, charge, ARGV[6])
end
return 'expired'
