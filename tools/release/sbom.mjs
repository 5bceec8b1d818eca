// node tools/release/sbom.mjs: prints the bill of materials (CycloneDX 1.6, JSON) of what runs, from package-lock.json.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../bootstrap/paths.mjs';
import { billOfMaterials } from './bill-of-materials.mjs';

const read = (name) => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
console.log(JSON.stringify(billOfMaterials(read('package-lock.json'), read('package.json')), null, 2));
