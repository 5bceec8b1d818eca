/** Something the bootstrap cannot do by itself; the message is all that the user sees of it. */
export class BootstrapError extends Error {
  constructor(message) {
    super(message);
    this.name = 'BootstrapError';
  }
}

/** Runs an entry point and turns its result into the exit code; a BootstrapError is shown without a stack. */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(`\n${error instanceof BootstrapError ? error.message : (error.stack ?? error)}`);
    process.exitCode = 1;
  }
}
