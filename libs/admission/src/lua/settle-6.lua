--[[
  Settles a request: charges what it used, frees the rest of its hold and its lease, gives unused tokens back to the
  minute, and writes one ledger entry under its id and its part of the day's usage.

  Guarantee: exactly once under retries, duplicates and races with `expire`; never more than was held. O(log leases).

  KEYS[1] rate window (hash)   KEYS[2] leases (sorted set)   KEYS[3] account (hash)   KEYS[4] reservation (hash)
  KEYS[5] ledger (stream)      KEYS[6] usage of the day (hash)
  ARGV[1] now in ms or ''   ARGV[2] request id   ARGV[3] outcome   ARGV[4] model   ARGV[5] key id
  ARGV[6] prompt tokens     ARGV[7] of these, cached   ARGV[8] completion tokens   ARGV[9] charge in microcredits
  ARGV[10] ledger entries kept   ARGV[11] ms for which the end is remembered   ARGV[12] ms for which usage is kept
  Returns { 'settled' | 'ended' | 'unknown', charge }
]]
--@include now
--@include rate-window
--@include account
--@include usage
local rateWindow = KEYS[1]
local leases = KEYS[2]
local account = KEYS[3]
local reservation = KEYS[4]
local ledger = KEYS[5]
local usage = KEYS[6]
local now = timeMs(ARGV[1])
local requestId = ARGV[2]
local outcome = ARGV[3]
local model = ARGV[4]
local keyId = ARGV[5]
local promptTokens = tonumber(ARGV[6])
local cachedTokens = tonumber(ARGV[7])
local completionTokens = tonumber(ARGV[8])
local entriesKept = ARGV[10]
local rememberMs = tonumber(ARGV[11])
local usageMs = tonumber(ARGV[12])

local held = redis.call('HMGET', reservation, 'state', 'hold', 'tokens', 'bucket', 'unlimited', 'sinceMs', 'charge',
  'allowanceNumber')
if held[1] ~= 'held' then
  return { held[1] and 'ended' or 'unknown', tonumber(held[7] or 0) }
end
local hold = tonumber(held[2])
local charge = math.max(0, math.min(tonumber(ARGV[9]), hold))
local unused = math.max(0, tonumber(held[3]) - promptTokens - completionTokens)

uncountInWindow(openWindow(rateWindow, now), tonumber(held[4]), 0, unused)
local credits = { hold = hold, unlimited = held[5] == '1', allowanceNumber = tonumber(held[8]) }
endHold(account, ledger, now, entriesKept, requestId, credits, charge)
redis.call('ZREM', leases, requestId)
local heldMs = math.max(0, now - tonumber(held[6]))
local meanHeldMs = tonumber(redis.call('HGET', account, 'meanHeldMs') or heldMs)
redis.call('HSET', account, 'meanHeldMs', string.format('%.1f', meanHeldMs + (heldMs - meanHeldMs) * 0.2))
redis.call('HSET', reservation, 'state', 'settled', 'charge', charge)
redis.call('PEXPIRE', reservation, rememberMs)
redis.call('XADD', ledger, 'MAXLEN', '~', entriesKept, '*', 'kind', 'usage', 'requestId', requestId, 'atMs', now,
  'outcome', outcome, 'model', model, 'keyId', keyId, 'promptTokens', promptTokens, 'cachedTokens', cachedTokens,
  'completionTokens', completionTokens, 'microcredits', charge)
countUsage(usage, model, keyId, promptTokens, cachedTokens, completionTokens, charge, usageMs)
return { 'settled', charge }
