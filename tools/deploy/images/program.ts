import { spawn, spawnSync } from 'node:child_process';

/** Runs a program in the foreground, its output shown. @throws Error naming the command when it fails */
export async function run(program: string, args: readonly string[], input?: string): Promise<void> {
  console.error(`$ ${program} ${args.join(' ')}`);
  const child = spawn(program, args, { stdio: [input === undefined ? 'ignore' : 'pipe', 'inherit', 'inherit'] });
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve, reject) => child.once('exit', resolve).once('error', reject));
  if (code !== 0)
    throw new Error(`${program} ${args[0] ?? ''} ended with ${code ?? 'a signal'}; see its output above.`);
}

/** What a program printed. @throws Error with its error output when it fails */
export function output(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${program} could not be run: ${error.message}. Install it.`);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stderr}`);
  return stdout.trim();
}
