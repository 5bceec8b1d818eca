-- The day, week or month of the calendar (UTC) in which a time lies; weeks begin on Monday. Days count from 1970-01-01, a
-- Thursday; a day's date is reckoned as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
local DAY_MS = 86400000

local function dateOf(day)
  local shifted = day + 719468
  local era = math.floor(shifted / 146097)
  local dayOfEra = shifted - era * 146097
  local leapDays = math.floor(dayOfEra / 1460) - math.floor(dayOfEra / 36524) + math.floor(dayOfEra / 146096)
  local yearOfEra = math.floor((dayOfEra - leapDays) / 365)
  local dayOfYear = dayOfEra - (365 * yearOfEra + math.floor(yearOfEra / 4) - math.floor(yearOfEra / 100))
  local fromMarch = math.floor((5 * dayOfYear + 2) / 153)
  local month = fromMarch < 10 and fromMarch + 3 or fromMarch - 9
  local year = yearOfEra + era * 400 + (month <= 2 and 1 or 0)
  return year, month, dayOfYear - math.floor((153 * fromMarch + 2) / 5) + 1
end

local function dayOfMonth(day)
  local _, _, date = dateOf(day)
  return date
end

-- kind: 'day' | 'week' | 'month'. The name is `<kind>:<first day>`; the end is the next one's start.
local function periodAt(kind, timeMs)
  local day = math.floor(timeMs / DAY_MS)
  local first, after = day, day + 1
  if kind == 'week' then
    first = day - (day + 3) % 7
    after = first + 7
  elseif kind == 'month' then
    first = day - dayOfMonth(day) + 1
    -- 31 days on is the 1st to 4th of the next month.
    after = first + 32 - dayOfMonth(first + 31)
  end
  local name = kind .. ':' .. string.format('%04d-%02d-%02d', dateOf(first))
  return { name = name, startsMs = first * DAY_MS, endsMs = after * DAY_MS }
end
