/** Routes that need no key; every other one does, also those that are added later. */
export const OPEN_ROUTES: ReadonlySet<string> = new Set([
  '/healthz',
  '/readyz',
  '/openapi.json',
  '/console',
  '/console/:file',
  '/docs',
  '/docs/',
  '/docs/*',
  '/docs/swagger-ui-init.js',
  '/docs/docs/swagger-ui-init.js',
]);
