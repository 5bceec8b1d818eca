import { type ChildProcess, spawn } from 'node:child_process';

// Ends the listed processes once its standard input closes, which happens however the supervisor dies, SIGKILL included. The
// three seconds are a timer's, not a count of polls: on a busy machine a poll takes long. After them nothing is asked any
// more: what was killed and has a parent that never waits for its children, as a container's first process may be, keeps its pid.
const SCRIPT = `
trap '' INT HUP TERM
pids=
while read -r verb pid; do
  case $verb in
    add) pids="$pids $pid" ;;
    remove) kept=; for each in $pids; do [ "$each" = "$pid" ] || kept="$kept $each"; done; pids=$kept ;;
  esac
done
for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
(sleep 3; for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done) &
last=$!
alive=1
while [ -n "$alive" ] && kill -0 "$last" 2>/dev/null; do
  sleep 0.1
  alive=
  for pid in $pids; do kill -0 "$pid" 2>/dev/null && alive=1; done
done
kill -KILL "$last" 2>/dev/null
`;

/**
 * A small shell process that outlives a killed supervisor by at most 3 s and ends what the supervisor had started.
 * Redis has no channel to notice that its starter is gone, and a process stuck in native code cannot act on one.
 */
export class OrphanGuard implements Disposable {
  readonly #shell: ChildProcess;

  private constructor(shell: ChildProcess) {
    this.#shell = shell;
  }

  static start(): OrphanGuard {
    // Detached: a Ctrl-C in the terminal goes to the whole foreground group and must not end the guard first.
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'millrace-guard'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    shell.on('error', () => undefined);
    shell.stdin?.on('error', () => undefined);
    shell.unref();
    return new OrphanGuard(shell);
  }

  add(pid: number): void {
    this.#shell.stdin?.write(`add ${pid}\n`);
  }

  /** To be called as soon as the process has ended: its id may be given to another one. */
  remove(pid: number): void {
    this.#shell.stdin?.write(`remove ${pid}\n`);
  }

  [Symbol.dispose](): void {
    this.#shell.stdin?.end();
  }
}
