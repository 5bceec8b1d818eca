import { createLogger } from './create-logger.ts';

/** Long enough for a message to the process that started this one, which may be gone or full. */
const LAST_WORDS_MS = 200;

/**
 * Makes an error that nobody caught, and a rejection that nobody handled, one JSON line of level `fatal` with its stack, and
 * the end of the process with code 1: its state is unknown from then on. To be called before anything can fail.
 * @param name the process, as in `api`
 * @param tell passes the error's message to who started the process
 */
export function endOnUncaught(name: string, tell: (message: string) => Promise<void>): void {
  const logger = createLogger(name, 'fatal');
  let ending = false;
  process.on('uncaughtException', (err, origin) => {
    logger.fatal(
      { err, origin },
      origin === 'unhandledRejection' ? 'a rejection was not handled' : 'an error was not caught',
    );
    if (ending) return;
    ending = true;
    const end = (): never => process.exit(1);
    setTimeout(end, LAST_WORDS_MS);
    tell(`${name}: ${err.message}`).finally(end);
  });
}
