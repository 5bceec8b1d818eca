import { writeFileSync } from 'node:fs';
import { metricsPage } from './metrics-page.ts';

// node --conditions=millrace-source tools/observability/write-metrics-page.ts
writeFileSync(new URL('../../docs/operations/metrics.md', import.meta.url), await metricsPage());
