--[[
  Admits a request or refuses it: `reserve` in its tenant's account, then `take-place` in its model's queue, and `release`
  where there is no place. For a Redis that has the keys of both; on a cluster the three are called one by one.

  Guarantee: atomic; those of the three scripts; a refusal for want of a place leaves nothing reserved at any moment that
  another request could see.

  KEYS[1…5] those of `reserve` and `release`   KEYS[6…19] those of `take-place`
  KEYS[1] rate window   KEYS[2] leases   KEYS[3] account   KEYS[4] reservation   KEYS[5] ledger   KEYS[6] waiting
  KEYS[7] waiting of the tenant   KEYS[8] start tags   KEYS[9] finish tags   KEYS[10] fair clock   KEYS[11] drain
  KEYS[12] prioritized   KEYS[13] wait   KEYS[14] active   KEYS[15] appointments   KEYS[16] appointments of the tenant
  KEYS[17] lines   KEYS[18] waiters   KEYS[19] offered
  ARGV[1] now in ms or ''   ARGV[2] ms for which a release is remembered   ARGV[3] number of arguments of `reserve` after now
  ARGV[4…] those of `reserve` after now, then those of `take-place` after now
  Returns { what `reserve` returns, what `take-place` returns; nil when it was not asked }
]]
--@include now
local rateWindow = KEYS[1]
local leases = KEYS[2]
local account = KEYS[3]
local reservation = KEYS[4]
local ledger = KEYS[5]
local waiting = KEYS[6]
local waitingOfTenant = KEYS[7]
local startTags = KEYS[8]
local finishTags = KEYS[9]
local fairClock = KEYS[10]
local drain = KEYS[11]
local prioritizedJobs = KEYS[12]
local waitJobs = KEYS[13]
local activeJobs = KEYS[14]
local appointments = KEYS[15]
local appointmentsOfTenant = KEYS[16]
local lines = KEYS[17]
local waiters = KEYS[18]
local offered = KEYS[19]
local now = timeMs(ARGV[1])
local rememberMs = ARGV[2]
local reserveCount = tonumber(ARGV[3])
local reserveArgs = { now, unpack(ARGV, 4, 3 + reserveCount) }
local takePlaceArgs = { now, unpack(ARGV, 4 + reserveCount) }

local function reserve(KEYS, ARGV)
--@include ../reserve-5
end

local function takePlace(KEYS, ARGV)
--@include ../take-place-14
end

local function release(KEYS, ARGV)
--@include ../release-5
end

local ofTenant = { rateWindow, leases, account, reservation, ledger }
local reserved = reserve(ofTenant, reserveArgs)
if reserved[1] ~= 'reserved' then
  return { reserved }
end
local placed = takePlace({
  waiting,
  waitingOfTenant,
  startTags,
  finishTags,
  fairClock,
  drain,
  prioritizedJobs,
  waitJobs,
  activeJobs,
  appointments,
  appointmentsOfTenant,
  lines,
  waiters,
  offered,
}, takePlaceArgs)
if placed[1] ~= 'placed' then
  release(ofTenant, { now, reserveArgs[2], rememberMs, reserveArgs[15] })
end
return { reserved, placed }
