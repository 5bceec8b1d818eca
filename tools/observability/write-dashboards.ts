import { writeFileSync } from 'node:fs';
import { generatedFiles } from './generated-files.ts';

// node --conditions=millrace-source tools/observability/write-dashboards.ts
for (const [path, text] of generatedFiles()) writeFileSync(new URL(`../../${path}`, import.meta.url), text);
