--[[
  A tenant's account as it is now.

  Guarantee: what is due of its allowance is renewed first, once, so nobody has to ask for an answer before it is right. O(1).

  KEYS[1] account (hash)   KEYS[2] ledger (stream)
  ARGV[1] now in ms or ''   ARGV[2] ledger entries kept
  Returns { granted, renewed, balance, held, spent, expired } and, where it has an allowance, { allowance, 'day' | 'week' |
  'month', what is left of it, Unix time in ms of its renewal }
]]
--@include now
--@include account
local account = KEYS[1]
local ledger = KEYS[2]

local opened = openAccount(account, ledger, timeMs(ARGV[1]), ARGV[2])
local sums = redis.call('HMGET', account, 'granted', 'renewed', 'balance', 'held', 'spent', 'expired')
if not opened.allowance then
  return { sums }
end
return { sums, { opened.allowance, opened.kind, leftOf(opened), opened.endsMs } }
