// node tools/deploy/network/draw.ts: draws docs/architecture/flows.yaml into docs/architecture/network.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { readNetwork } from './flows.ts';
import { picture } from './picture.ts';

const page = new URL('../../../docs/architecture/network.md', import.meta.url);
const text = readFileSync(page, 'utf8');
writeFileSync(
  page,
  text.replace(/```mermaid\n[\s\S]*?```/, () => `\`\`\`mermaid\n${picture(readNetwork())}\n\`\`\``),
);
