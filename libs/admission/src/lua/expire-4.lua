--[[
  Ends a request whose lease has run out, because its replica is dead: its hold goes back uncharged, and the ledger says so.

  Guarantee: exactly once, and never while the lease lives; a later settlement finds the request ended. O(log leases).

  KEYS[1] leases (sorted set)   KEYS[2] account (hash)   KEYS[3] reservation (hash)   KEYS[4] ledger (stream)
  ARGV[1] now in ms or ''   ARGV[2] request id   ARGV[3] ms that must have passed since the lease's end
  ARGV[4] ledger entries kept   ARGV[5] ms for which the end is remembered
  Returns 'expired' | 'live' | 'ended'
]]
--@include now
--@include account
local leases = KEYS[1]
local account = KEYS[2]
local reservation = KEYS[3]
local ledger = KEYS[4]
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
local held = redis.call('HMGET', reservation, 'state', 'hold', 'unlimited')
if held[1] ~= 'held' then
  return 'ended'
end
endHold(account, tonumber(held[2]), 0, held[3] == '1')
redis.call('HSET', reservation, 'state', 'expired')
redis.call('PEXPIRE', reservation, rememberMs)
redis.call('XADD', ledger, 'MAXLEN', '~', entriesKept, '*', 'kind', 'usage', 'requestId', requestId, 'atMs', now,
  'outcome', 'expired', 'model', '', 'keyId', '', 'promptTokens', 0, 'cachedTokens', 0, 'completionTokens', 0,
  'microcredits', 0)
return 'expired'
