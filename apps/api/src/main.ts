import 'reflect-metadata';
import { ApiSettings, readSettings } from '#config';
import { endOnUncaught } from '#observability';
import { onSupervisorGone, tellSupervisor } from './process/supervisor-channel.ts';
import { startApi } from './start/start-api.ts';

endOnUncaught('api', (message) => tellSupervisor({ type: 'failed', message }));
try {
  const { app, ...addresses } = await startApi(readSettings(ApiSettings));
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  // A signal to itself, so that there is one way to stop.
  onSupervisorGone(() => process.kill(process.pid, 'SIGTERM'));
  await tellSupervisor({ type: 'ready', ...addresses });
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`millrace api: ${message}\n`);
  await tellSupervisor({ type: 'failed', message });
  process.exit(1);
}
