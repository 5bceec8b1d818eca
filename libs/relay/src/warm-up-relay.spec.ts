import { expect, it } from 'vitest';
import { warmUpRelay } from './warm-up-relay.ts';

const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;

it('leaves no connection and no port behind', async () => {
  const before = openSockets();
  await warmUpRelay(2);
  await expect.poll(openSockets).toBe(before);
});
