import { describe, expect, it } from 'vitest';
import { unknownSettings } from './unknown-settings.ts';

describe('unknownSettings', () => {
  it('names variables that nothing reads, with what was probably meant', () => {
    const environment = {
      ...{ MILLRACE_SLOT: '4', MILLRACE_QUEUE_PLACE_FILE: '/x', MILLRACE_COLOUR: 'red', MILLRACE_NOTHING: '' },
      ...{ MILLRACE_SLOTS: '4', MILLRACE_DEV_KEY_FILE: '/key', PATH: '/bin' },
    };
    expect(unknownSettings(environment)).toEqual([
      { name: 'MILLRACE_COLOUR', meant: null },
      { name: 'MILLRACE_QUEUE_PLACE_FILE', meant: null },
      { name: 'MILLRACE_SLOT', meant: 'MILLRACE_SLOTS' },
    ]);
  });

  it('passes over what Kubernetes sets for Services, and what tests, benchmarks and the compose file read', () => {
    const environment = {
      ...{ MILLRACE_API_SERVICE_HOST: '10.0.0.1', MILLRACE_API_SERVICE_PORT_HTTP: '80', MILLRACE_API_PORT: 'tcp://x' },
      ...{ MILLRACE_REDIS_PORT_6379_TCP_ADDR: '10.0.0.2', MILLRACE_TEST_PROVIDER: 'webgpu', MILLRACE_BIND: '0.0.0.0' },
    };
    expect(unknownSettings(environment)).toEqual([]);
  });
});
