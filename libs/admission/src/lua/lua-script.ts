import { RedisScript } from '#queue';

const FOLDER = new URL('./', import.meta.url);

/** One Lua operation from the file `<name>-<number of keys>.lua` beside this one. */
export class LuaScript extends RedisScript {
  constructor(name: string, keyCount: number) {
    super(FOLDER, name, keyCount);
  }
}
