import koffi from 'koffi';

/**
 * A function of the C library, by its declaration in C. Null elsewhere than on Linux (the same name means less in other systems), and
 * where the C library does not have it.
 */
export function libcFunction<Call extends (...values: never[]) => unknown>(declaration: string): Call | null {
  if (process.platform !== 'linux') return null;
  try {
    return koffi.load(null).func(declaration) as unknown as Call;
  } catch {
    return null;
  }
}
