-- Time in ms: the caller's where it gives one (simulated time), else this server's own, one clock for all replicas.
local function timeMs(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
