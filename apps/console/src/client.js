const KEY = 'millrace-key';

/** The key is kept for as long as the tab, and sent to this server alone. */
export const key = () => sessionStorage.getItem(KEY) ?? '';
export const rememberKey = (text) => sessionStorage.setItem(KEY, text.trim());

/** Asks the API. @throws Error with the API's own words, and when to come back where it says so */
export async function request(path, init = {}) {
  const headers = { authorization: `Bearer ${key()}`, ...(init.body && { 'content-type': 'application/json' }) };
  let response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error('The API does not answer. Is it still running?');
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const message = body?.error?.message ?? `The API answered ${response.status}.`;
  const afterMs = Number(response.headers.get('retry-after-ms'));
  throw new Error(afterMs > 0 ? `${message} Try again in ${(afterMs / 1_000).toFixed(1)} s.` : message);
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
