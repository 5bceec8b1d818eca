-- Beside a request in `waiters`: the workers that have computed the beginning of its prompt, and how many requests of its
-- tenant that came later were taken before it for that.
local function computedAtField(requestId)
  return requestId .. ':computed-at'
end

local function passedField(requestId)
  return requestId .. ':passed'
end

-- Workers' ids as one string: each id stands between two spaces.
local function listOfWorkers(ids, from)
  return ' ' .. table.concat(ids, ' ', from) .. ' '
end

local function listHas(list, workerId)
  return string.find(list, ' ' .. workerId .. ' ', 1, true) ~= nil
end
