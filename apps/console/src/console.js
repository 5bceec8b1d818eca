import { call, key, rememberKey, tell } from './client.js';
import { showLive } from './live.js';
import { openPlayground, showModels } from './playground.js';
import { showTenants } from './tenants.js';

const REFRESH_MS = 2_000;
const VIEWS = { playground: showModels, live: showLive, tenants: showTenants };

let shown = 'playground';

/** Shows a view, and what it is about as it is now. */
async function show(view) {
  shown = view;
  for (const name of Object.keys(VIEWS)) document.getElementById(name).hidden = name !== view;
  for (const button of document.querySelectorAll('[data-view]')) {
    if (button.dataset.view === view) button.setAttribute('aria-current', 'page');
    else button.removeAttribute('aria-current');
  }
  await refresh();
}

async function refresh() {
  if (key() === '') {
    tell('Give a key: any for the playground, an operator’s for the rest.');
    return;
  }
  try {
    await VIEWS[shown](call);
    tell(null);
  } catch (error) {
    tell(error.message);
  }
}

for (const button of document.querySelectorAll('[data-view]')) {
  button.addEventListener('click', () => show(button.dataset.view));
}
const field = document.getElementById('key');
field.value = key();
function takeKey() {
  if (field.value.trim() === key()) return;
  rememberKey(field.value);
  void refresh();
}
field.addEventListener('change', takeKey);
document.getElementById('access').addEventListener('submit', (event) => {
  event.preventDefault();
  takeKey();
});
openPlayground();
await show(shown);
setInterval(() => {
  if (shown === 'live' && !document.hidden) void refresh();
}, REFRESH_MS);
