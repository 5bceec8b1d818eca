import { RedisScript } from '#queue';

const FOLDER = new URL('./', import.meta.url);

/** What a script is called with; the time stands before the arguments. */
export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** One Lua operation from the file `<name>-<number of keys>.lua` beside this one. */
export class LuaScript extends RedisScript {
  constructor(name: string, keyCount: number) {
    super(FOLDER, name, keyCount);
  }
}
