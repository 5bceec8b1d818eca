// node healthcheck.mjs PORT PATH: leaves with 0 when the process in this container answers with a 2xx status.
const [port, path] = process.argv.slice(2);
const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(4_000) }).catch(
  () => null,
);
process.exit(response?.ok === true ? 0 : 1);
