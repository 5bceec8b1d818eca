import { Command, Redis } from 'ioredis';

/** What this reads and writes of ioredis 5.11, whose types call it private. */
interface CommandInternals {
  name: string;
  readonly callback: unknown;
  readonly errorStack: unknown;
  args: unknown[];
  transformed: boolean;
  promise: Promise<unknown>;
  resolve: (reply: unknown) => void;
  reject: (error: Error) => void;
  initPromise(): void;
  toWritable(socket: object): string | Buffer;
  stringifyArguments(): void;
  _convertValue(resolve: (reply: unknown) => void): (reply: unknown) => void;
  _clearTimers(): void;
}

interface ScriptInternals {
  readonly lua: string;
  readonly sha: string;
  readonly Command: { readonly prototype: CommandInternals };
}

interface RedisInternals {
  defineCommand(name: string, definition: object): void;
  readonly scriptsSet: Readonly<Record<string, ScriptInternals>>;
}

interface ArgumentTransformers {
  readonly _transformer: { readonly argument: Readonly<Record<string, ((args: unknown[]) => unknown[]) | undefined>> };
}

/**
 * Lets ioredis's commands die young.
 *
 * V8 allocates a function that is written as the right side of an assignment to a property, `this.reject = (error) => …`, in the
 * old generation, since that is how methods are mostly made (`Parser::CheckAssigningFunctionLiteralToProperty`). ioredis does so for
 * each command, and once more for each call of a script. Until the next collection of the whole heap such a function holds its command with
 * arguments, answer and promise, so that every young collection has to copy them all: 14 KB for each request in the API, in pauses of 5 to
 * 15 ms. Here the same is done with functions that have a name of their own first, which are allocated young.
 *
 * Commands with a callback or a kept stack, which the product does not use, stay as ioredis makes them.
 */
export function letCommandsDieYoung(): void {
  const commands = Command.prototype as unknown as CommandInternals;
  const { _transformer: transformers } = Command as unknown as ArgumentTransformers;
  const makePromise = commands.initPromise;
  commands.initPromise = function (this: CommandInternals): void {
    if (this.callback !== undefined || this.errorStack !== undefined) {
      makePromise.call(this);
      return;
    }
    if (!this.transformed) {
      this.transformed = true;
      const transform = transformers.argument[this.name];
      if (transform !== undefined) this.args = transform(this.args);
      this.stringifyArguments();
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const fail = (error: Error): void => {
      this._clearTimers();
      reject(error);
    };
    this.resolve = this._convertValue(resolve);
    this.reject = fail;
    this.promise = promise;
  };
  const redis = Redis.prototype as unknown as RedisInternals;
  const defineCommand = redis.defineCommand;
  redis.defineCommand = function (this: RedisInternals, name: string, definition: object): void {
    defineCommand.call(this, name, definition);
    const script = this.scriptsSet[name];
    if (script !== undefined) letCallsDieYoung(script, commands.toWritable);
  };
}

/** Calls of a script are sent in full over a socket that has not seen it or whose server has lost it, by their hash after that. */
function letCallsDieYoung(script: ScriptInternals, toWritable: CommandInternals['toWritable']): void {
  const { lua, sha } = script;
  const knownTo = new WeakSet<object>();
  script.Command.prototype.toWritable = function (this: CommandInternals, socket: object): string | Buffer {
    const { reject } = this;
    const fail = (error: Error): void => {
      if (error.message.includes('NOSCRIPT')) knownTo.delete(socket);
      reject(error);
    };
    this.reject = fail;
    if (!knownTo.has(socket)) {
      knownTo.add(socket);
      this.name = 'eval';
      this.args[0] = lua;
    } else if (this.name === 'eval') {
      this.name = 'evalsha';
      this.args[0] = sha;
    }
    return toWritable.call(this, socket);
  };
}
