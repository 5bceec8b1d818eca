--[[
  Gives a tenant an allowance, changes the one it has, or takes it away.

  A new one, and one by another period, is there whole at once; what is left of the one before ends. Another amount by the same
  period holds from now on: what was held and spent in this period counts against it, and of what was used beyond a lower one
  nothing is asked back. What is taken away ends.

  Guarantee: what stays the same changes nothing; each change is one entry of the ledger for what is given or ends. O(1).

  KEYS[1] account (hash)   KEYS[2] ledger (stream)
  ARGV[1] now in ms or ''   ARGV[2] ledger entries kept   ARGV[3] microcredits for each period; 0 for no allowance, '' as they are
  ARGV[4] 'day' | 'week' | 'month', '' as it is
  Returns 1, or 0 where there is nothing to take a field from that is as it is; then nothing is changed
]]
--@include now
--@include account
local account = KEYS[1]
local ledger = KEYS[2]
local now = timeMs(ARGV[1])

local opened = openAccount(account, ledger, now, ARGV[2])
local wanted = ARGV[3] == '' and opened.allowance or tonumber(ARGV[3])
local kind = ARGV[4]
if kind == '' then
  kind = opened.kind
end

if wanted == 0 then
  if opened.allowance then
    endPeriod(opened, now)
    redis.call('HDEL', account, 'allowance', 'allowancePeriod', 'allowanceEndsMs', 'allowanceHeld', 'allowanceUsed',
      'allowanceLimit')
  end
  return 1
end
if not wanted or not kind then
  return 0
end
if kind ~= opened.kind then
  if opened.allowance then
    endPeriod(opened, now)
  end
  beginPeriod(opened, wanted, kind, now, now)
  return 1
end

local limit = limitOf(wanted, opened.limit, opened.used)
if wanted ~= opened.allowance then
  redis.call('HSET', account, 'allowance', wanted, 'allowanceLimit', limit)
end
local change = math.max(limit - opened.limit, 0 - opened.balance)
if change ~= 0 then
  noteAllowance(opened, periodAt(kind, opened.endsMs - 1).name, now, change)
end
return 1
