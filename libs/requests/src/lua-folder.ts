/** Where this lib's scripts are. */
export const LUA_FOLDER = new URL('./lua/', import.meta.url);
