import type { CallStyle } from './call-style.ts';
import { NAMED_STYLES } from './named-styles.ts';
import { OBJECT_STYLES } from './object-styles.ts';
import { PYTHONIC_STYLES } from './pythonic-styles.ts';
import { TAGGED_STYLES } from './tagged-styles.ts';

/** The styles by the name of the output format that reads them. */
export const CALL_STYLES: Readonly<Record<string, CallStyle>> = {
  ...OBJECT_STYLES,
  ...NAMED_STYLES,
  ...TAGGED_STYLES,
  ...PYTHONIC_STYLES,
};
