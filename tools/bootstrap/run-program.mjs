import { spawn } from 'node:child_process';
import { ROOT } from './paths.mjs';

/** Exit code that a shell gives a process ended by a signal. */
const SIGNAL_CODES = { SIGHUP: 129, SIGINT: 130, SIGKILL: 137, SIGTERM: 143 };

/**
 * Runs a program in the foreground and resolves with its exit code. Signals that reach this process are passed on; with
 * `tied`, the program also holds an IPC channel to this process and can end itself when the channel closes.
 */
export function runProgram(command, args, { env = process.env, tied = false, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = tied ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit';
    const child = spawn(command, args, { cwd, env, stdio });
    const forward = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    const watch = tied ? watchParent(() => child.kill('SIGTERM')) : null;
    const finish = () => {
      clearInterval(watch);
      for (const signal of signals) process.off(signal, forward);
    };
    child.once('error', (error) => {
      finish();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      finish();
      resolve(code ?? SIGNAL_CODES[signal] ?? 1);
    });
  });
}

/** Runs a program and resolves with its exit code and everything it printed. */
export function captureProgram(command, args, { env = process.env, cwd = ROOT } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * npm passes SIGTERM on, but not SIGHUP or its own SIGKILL: notice that the parent changed, which is npm itself because the
 * script in package.json begins with `exec`. Outside npm a new parent is no news.
 */
function watchParent(onGone) {
  if (process.env.npm_lifecycle_event === undefined) return null;
  const parent = process.ppid;
  return setInterval(() => {
    if (process.ppid !== parent) onGone();
  }, 250).unref();
}
