-- A tenant's credits in integer microcredits. Always: held + spent + expired = granted + renewed - balance, and none of the
-- six is negative. What an unlimited tenant holds and spends is granted to it as it goes, so the same sums hold for it.
--@include allowance

-- Returns the number of the allowance's period, or nil without one.
local function holdCredits(opened, hold, unlimited)
  local account = opened.account
  redis.call('HINCRBY', account, 'held', hold)
  redis.call('HINCRBY', account, unlimited and 'granted' or 'balance', unlimited and hold or 0 - hold)
  if unlimited or not opened.allowance then
    return nil
  end
  opened.used = opened.used + hold
  redis.call('HSET', account, 'allowanceHeld', opened.held + hold, 'allowanceUsed', opened.used)
  return opened.number
end

-- held: a reservation's { hold, unlimited, allowanceNumber }, the last nil where it was made without an allowance.
local function endHold(account, ledger, now, entriesKept, requestId, held, charge)
  local hold, unlimited, number = held.hold, held.unlimited, held.allowanceNumber
  -- Before anything comes back, so that nothing of it ends with a period that is over already.
  local opened = number and openAccount(account, ledger, now, entriesKept)
  redis.call('HINCRBY', account, 'held', 0 - hold)
  redis.call('HINCRBY', account, 'spent', charge)
  redis.call('HINCRBY', account, unlimited and 'granted' or 'balance', unlimited and charge - hold or hold - charge)
  if not opened then
    return
  end
  local present = opened.allowance and opened.number == number
  local giveBack = present and giveBackNow or giveBackLate
  local ended = giveBack(opened, held, hold - charge)
  if ended > 0 then
    noteAllowance(opened, requestId, now, 0 - ended)
  end
end
