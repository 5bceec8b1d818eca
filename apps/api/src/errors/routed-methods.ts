import type { FastifyInstance } from 'fastify';

/** In the order in which `Allow` names them. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

declare module 'fastify' {
  interface FastifyInstance {
    routedMethods: RoutedMethods;
  }
}

/** Which methods the routes take that an address may belong to, `/v1/models/:id` and the like included. */
export class RoutedMethods {
  /** By the route as Fastify writes it. */
  readonly #methods = new Map<string, Set<string>>();

  /** Hears of every route that is added to `server` from now on. */
  static of(server: FastifyInstance): RoutedMethods {
    const routed = new RoutedMethods();
    server.addHook('onRoute', ({ url, method }) => routed.add(url, [method].flat()));
    return routed;
  }

  add(url: string, methods: readonly string[]): void {
    this.#methods.set(url, new Set([...(this.#methods.get(url) ?? []), ...methods]));
  }

  /** @param path without its query */
  at(path: string): readonly string[] {
    const segments = path.split('/');
    const routes = [...this.#methods].filter(([url]) => leadsTo(url.split('/'), segments));
    return METHODS.filter((method) => routes.some(([, methods]) => methods.has(method)));
  }
}

/** `:id` stands for one segment, and `*` at the end for all that follow. */
function leadsTo(route: readonly string[], path: readonly string[]): boolean {
  const rest = route.indexOf('*');
  const fixed = rest < 0 ? route : route.slice(0, rest);
  if (rest < 0 ? path.length !== route.length : path.length <= rest) return false;
  return fixed.every((part, index) => (part.startsWith(':') ? path[index] !== '' : part === path[index]));
}
