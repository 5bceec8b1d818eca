export { TransientMap } from './transient-map.ts';
export { TransientSet } from './transient-set.ts';
