--[[
  Sets the sum of all that a tenant was ever granted, as a declared configuration does. It is not lowered below what is
  held and spent, so the balance never becomes negative.

  Guarantee: idempotent. O(1).

  KEYS[1] account (hash)   KEYS[2] ledger (stream)
  ARGV[1] now in ms or ''   ARGV[2] microcredits granted in all   ARGV[3] ledger entries kept
  Returns { granted, balance }
]]
--@include now
local account = KEYS[1]
local ledger = KEYS[2]
local now = timeMs(ARGV[1])

local sums = redis.call('HMGET', account, 'granted', 'held', 'spent', 'balance')
local granted = tonumber(sums[1] or 0)
local balance = tonumber(sums[4] or 0)
local change = math.max(tonumber(ARGV[2]), tonumber(sums[2] or 0) + tonumber(sums[3] or 0)) - granted
if change ~= 0 then
  redis.call('HINCRBY', account, 'granted', change)
  balance = redis.call('HINCRBY', account, 'balance', change)
  redis.call('XADD', ledger, 'MAXLEN', '~', ARGV[3], '*', 'kind', 'grant', 'requestId', '', 'atMs', now,
    'microcredits', change)
end
return { granted + change, balance }
