-- A tenant's credits in integer microcredits. Always: held + spent = granted - balance, and none of the four is negative.
-- What an unlimited tenant holds and spends is granted to it as it goes, so the same sums hold for it.
local function holdCredits(account, hold, unlimited)
  redis.call('HINCRBY', account, 'held', hold)
  redis.call('HINCRBY', account, unlimited and 'granted' or 'balance', unlimited and hold or 0 - hold)
end

local function endHold(account, hold, charge, unlimited)
  redis.call('HINCRBY', account, 'held', 0 - hold)
  redis.call('HINCRBY', account, 'spent', charge)
  redis.call('HINCRBY', account, unlimited and 'granted' or 'balance', unlimited and charge - hold or hold - charge)
end
