const KEY = 'millrace-key';

/** The key is kept for as long as the tab, and sent to this server alone. */
export const key = () => sessionStorage.getItem(KEY) ?? '';
export const rememberKey = (text) => sessionStorage.setItem(KEY, text.trim());

/** Asks the API. @throws Error with the API's own words */
export async function request(path, init = {}) {
  const headers = { authorization: `Bearer ${key()}`, ...(init.body && { 'content-type': 'application/json' }) };
  const response = await fetch(path, { ...init, headers });
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Error(body?.error?.message ?? `The API answered ${response.status}.`);
}

export async function call(path) {
  return (await request(path)).json();
}

/** Shows what is wrong; null for nothing. */
export function tell(problem) {
  const place = document.getElementById('problem');
  place.hidden = problem === null;
  place.textContent = problem ?? '';
}

/** Fills a table; cells are texts or elements. */
export function fill(table, titles, rows) {
  const row = (kind, cells) => {
    const line = document.createElement('tr');
    for (const cell of cells) {
      const place = document.createElement(kind);
      place.append(cell instanceof Node ? cell : String(cell));
      line.append(place);
    }
    return line;
  };
  table.replaceChildren(row('th', titles), ...rows.map((cells) => row('td', cells)));
}
