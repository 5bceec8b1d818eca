import { call as ask, tell } from './client.js';
import { fill, number } from './table.js';

const limit = (value) => value ?? 'none';

/** All tenants; one's account and usage when it is chosen. */
export async function showTenants(call) {
  const tenants = await allTenants(call);
  fill(
    document.getElementById('tenant-list'),
    [
      'Tenant',
      'Name',
      number('Weight'),
      'Models',
      ...['Requests/min', 'Tokens/min', 'At once'].map(number),
      'Credits',
      'Allowance',
    ],
    tenants.map((tenant) => [
      usageButton(tenant.id),
      tenant.name,
      tenant.weight,
      tenant.models?.join(', ') ?? 'all',
      limit(tenant.requestsPerMinute),
      limit(tenant.tokensPerMinute),
      limit(tenant.concurrency),
      tenant.credits,
      tenant.allowance ? `${tenant.allowance.credits} a ${tenant.allowance.period}` : 'none',
    ]),
    'No tenant is stored yet: millrace tenants set NAME makes one.',
  );
}

async function allTenants(call) {
  const all = [];
  for (let query = ''; ; ) {
    const { tenants, has_more: hasMore } = await call(`/admin/v1/tenants${query}`);
    all.push(...tenants);
    const last = all.at(-1);
    if (hasMore !== true || last === undefined) return all;
    query = `?after=${encodeURIComponent(last.id)}`;
  }
}

function usageButton(tenantId) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = tenantId;
  button.addEventListener('click', () => showUsage(tenantId).catch((error) => tell(error.message)));
  return button;
}

function left({ allowance }) {
  if (!allowance) return '';
  const renews = new Date(allowance.renewsAtMs).toISOString().slice(0, 10);
  return `, left of the allowance ${allowance.left}, which renews on ${renews} (UTC)`;
}

async function showUsage(tenantId) {
  const path = `/admin/v1/tenants/${encodeURIComponent(tenantId)}`;
  const [{ account }, { usage }] = await Promise.all([ask(path), ask(`${path}/usage`)]);
  document.getElementById('account').textContent =
    `${tenantId}, last 30 days: balance ${account.balance}, held ${account.held}, spent ${account.spent}${left(account)}`;
  fill(
    document.getElementById('usage'),
    ['Day', 'Model', ...['Requests', 'Prompt tokens', 'of these cached', 'Completion tokens', 'Credits'].map(number)],
    usage.map((row) => [
      row.day,
      row.model,
      row.requests,
      row.promptTokens,
      row.cachedTokens,
      row.completionTokens,
      row.credits,
    ]),
    'Nothing was used in these days.',
  );
}
