--[[
  Takes a reservation back as if it had never been made: for a request that was refused after it or never queued.

  Guarantee: exactly once; a request that has ended already, or is unknown, is not touched. O(log leases).

  KEYS[1] rate window (hash)   KEYS[2] leases (sorted set)   KEYS[3] account (hash)   KEYS[4] reservation (hash)
  KEYS[5] ledger (stream)
  ARGV[1] now in ms or ''   ARGV[2] request id   ARGV[3] ms for which the end is remembered   ARGV[4] ledger entries kept
  Returns 'released' | 'ended' | 'unknown'
]]
--@include now
--@include rate-window
--@include account
local rateWindow = KEYS[1]
local leases = KEYS[2]
local account = KEYS[3]
local reservation = KEYS[4]
local ledger = KEYS[5]
local now = timeMs(ARGV[1])
local requestId = ARGV[2]
local rememberMs = tonumber(ARGV[3])

local held = redis.call('HMGET', reservation, 'state', 'hold', 'tokens', 'bucket', 'unlimited', 'allowanceNumber')
if held[1] ~= 'held' then
  return held[1] and 'ended' or 'unknown'
end
uncountInWindow(openWindow(rateWindow, now), tonumber(held[4]), 1, tonumber(held[3]))
local credits = { hold = tonumber(held[2]), unlimited = held[5] == '1', allowanceNumber = tonumber(held[6]) }
endHold(account, ledger, now, ARGV[4], requestId, credits, 0)
redis.call('ZREM', leases, requestId)
redis.call('HSET', reservation, 'state', 'released')
redis.call('PEXPIRE', reservation, rememberMs)
return 'released'
