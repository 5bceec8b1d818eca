--[[
  Sets the sum of all that a tenant was ever granted, as a declared configuration does. It is not lowered below what is
  held and spent of it, so the balance never becomes negative; an allowance is left alone.

  Guarantee: idempotent. O(1).

  KEYS[1] account (hash)   KEYS[2] ledger (stream)
  ARGV[1] now in ms or ''   ARGV[2] microcredits granted in all   ARGV[3] ledger entries kept
  Returns { granted, balance }
]]
--@include now
--@include account
local account = KEYS[1]
local ledger = KEYS[2]
local now = timeMs(ARGV[1])

local opened = openAccount(account, ledger, now, ARGV[3])
local granted = tonumber(redis.call('HGET', account, 'granted') or 0)
local balance = opened.balance
local unused = balance - leftOf(opened)
local change = math.max(tonumber(ARGV[2]) - granted, 0 - unused)
if change ~= 0 then
  redis.call('HINCRBY', account, 'granted', change)
  balance = redis.call('HINCRBY', account, 'balance', change)
  redis.call('XADD', ledger, 'MAXLEN', '~', ARGV[3], '*', 'kind', 'grant', 'requestId', '', 'atMs', now,
    'microcredits', change)
end
return { granted + change, balance }
