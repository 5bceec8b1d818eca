import { StartError } from './start-error.ts';

/**
 * Takes a port, or says which setting to change.
 * @param listen resolves with the address that was taken, as a URL
 */
export async function listenOrExplain(
  variable: string,
  host: string,
  port: number,
  listen: () => Promise<string>,
): Promise<string> {
  try {
    return await listen();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'EADDRINUSE') {
      throw new StartError(
        `Port ${port} on ${host} is taken by another process (${variable}). Stop that process, or set ${variable} to ` +
          'another port; 0 picks a free one.',
        error,
      );
    }
    throw new StartError(
      `Can not listen on ${host}:${port} (${variable}): ${error instanceof Error ? error.message : String(error)}. ` +
        'Set another host or port.',
      error,
    );
  }
}
