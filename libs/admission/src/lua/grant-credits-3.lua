--[[
  Adds credits to a tenant's balance.

  Guarantee: once per grant id, for as long as the id is remembered. O(1).

  KEYS[1] account (hash)   KEYS[2] grant (string)   KEYS[3] ledger (stream)
  ARGV[1] now in ms or ''   ARGV[2] grant id   ARGV[3] microcredits   ARGV[4] ledger entries kept
  ARGV[5] ms for which the id is remembered
  Returns { 'granted' | 'repeated', balance }
]]
--@include now
--@include account
local account = KEYS[1]
local grant = KEYS[2]
local ledger = KEYS[3]
local now = timeMs(ARGV[1])
local microcredits = tonumber(ARGV[3])

local opened = openAccount(account, ledger, now, ARGV[4])
if not redis.call('SET', grant, microcredits, 'NX', 'PX', ARGV[5]) then
  return { 'repeated', opened.balance }
end
redis.call('HINCRBY', account, 'granted', microcredits)
local balance = redis.call('HINCRBY', account, 'balance', microcredits)
redis.call('XADD', ledger, 'MAXLEN', '~', ARGV[4], '*', 'kind', 'grant', 'requestId', ARGV[2], 'atMs', now,
  'microcredits', microcredits)
return { 'granted', balance }
