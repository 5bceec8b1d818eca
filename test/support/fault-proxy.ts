import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** `in`: from whoever dialled to the target; `out`: back. */
export type Direction = 'in' | 'out';

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  /** By the socket whose bytes it takes. */
  readonly lines: Map<Socket, Line>;
}

/** More than this on its way, and the sender has to wait. */
const LINE_BYTES = 64 * 1024;

/** One way of a link: pieces leave in order, each when its time has come. */
class Line {
  readonly #to: Socket;
  readonly #onRoom: () => void;
  readonly #pieces: { readonly bytes: Buffer | null; readonly dueAtMs: number }[] = [];
  #pendingBytes = 0;
  #freeAtMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(to: Socket, onRoom: () => void) {
    this.#to = to;
    this.#onRoom = onRoom;
    to.on('drain', onRoom);
  }

  get full(): boolean {
    return this.#pendingBytes > LINE_BYTES || this.#to.writableNeedDrain;
  }

  send(bytes: Buffer, delayMs: number, bytesPerSecond: number): void {
    const now = performance.now();
    this.#freeAtMs = Math.max(now, this.#freeAtMs) + (bytes.length / bytesPerSecond) * 1_000;
    this.#pieces.push({ bytes, dueAtMs: this.#freeAtMs + delayMs });
    this.#pendingBytes += bytes.length;
    this.#pass();
  }

  end(): void {
    this.#pieces.push({ bytes: null, dueAtMs: 0 });
    this.#pass();
  }

  #pass(): void {
    if (this.#timer !== null) return;
    for (let piece = this.#pieces[0]; piece !== undefined; piece = this.#pieces[0]) {
      const waitMs = piece.dueAtMs - performance.now();
      if (waitMs >= 1) {
        this.#timer = setTimeout(() => {
          this.#timer = null;
          this.#pass();
        }, waitMs);
        return;
      }
      this.#pieces.shift();
      this.#pendingBytes -= piece.bytes?.length ?? 0;
      if (this.#to.destroyed) continue;
      if (piece.bytes === null) this.#to.end();
      else this.#to.write(piece.bytes);
    }
    this.#onRoom();
  }
}

/**
 * A TCP proxy whose network a test can break, for all links or for single ones. Bytes that a broken network holds back are
 * neither lost nor reordered when it heals, as with TCP over a network that loses packets.
 *
 * @example
 * await using proxy = await FaultProxy.to(redis.port);
 * proxy.hold('in'); // requests no longer arrive, answers do
 * proxy.heal();
 */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #targetHost: string;
  readonly #targetPort: number;
  readonly #held = new Set<Direction>();
  readonly #heldLinks = new Map<Link, ReadonlySet<Direction>>();
  #refusing = false;
  #delayMs = 0;
  #bytesPerSecond = Number.POSITIVE_INFINITY;

  private constructor(targetPort: number, targetHost: string) {
    this.#targetPort = targetPort;
    this.#targetHost = targetHost;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#join(near));
  }

  static async to(
    targetPort: number,
    { targetHost = '127.0.0.1', host = '127.0.0.1', port = 0 } = {},
  ): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort, targetHost);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(port, host, resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that go through the proxy now. */
  get links(): number {
    return this.#links.size;
  }

  /** Holds back what is sent, both ways or one way, while all connections stay up: nobody learns of it but by silence. */
  hold(...directions: Direction[]): void {
    for (const direction of directions.length > 0 ? directions : (['in', 'out'] as const)) this.#held.add(direction);
    for (const link of this.#links) this.#apply(link);
  }

  /** The same for one of the links, which `pick` chooses out of their number. */
  holdOne(pick: (links: number) => number, ...directions: Direction[]): void {
    const link = [...this.#links][pick(this.#links.size)];
    if (link === undefined) return;
    this.#heldLinks.set(link, new Set(directions.length > 0 ? directions : ['in', 'out']));
    this.#apply(link);
  }

  /** Resets every connection, and every new one until `heal`. */
  refuse(): void {
    this.#refusing = true;
    this.reset();
  }

  /** Resets every connection; new ones come through. */
  reset(): void {
    for (const link of this.#links) resetLink(link);
  }

  resetOne(pick: (links: number) => number): void {
    const link = [...this.#links][pick(this.#links.size)];
    if (link !== undefined) resetLink(link);
  }

  /** A thin line: every piece comes `delayMs` late, and no more than so many bytes a second each way. */
  slow({ delayMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY }): void {
    this.#delayMs = delayMs;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** A whole network again; what was held back goes on its way. */
  heal(): void {
    this.#refusing = false;
    this.#held.clear();
    this.#heldLinks.clear();
    this.slow({});
    for (const link of this.#links) this.#apply(link);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    if (this.#refusing) {
      near.on('error', () => {});
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: this.#targetPort, host: this.#targetHost, allowHalfOpen: true, noDelay: true });
    const link: Link = { near, far, lines: new Map() };
    this.#links.add(link);
    this.#forward(link, near, far);
    this.#forward(link, far, near);
    this.#apply(link);
  }

  #forward(link: Link, from: Socket, to: Socket): void {
    const line = new Line(to, () => this.#apply(link));
    link.lines.set(from, line);
    from.on('data', (piece: Buffer) => {
      line.send(piece, this.#delayMs, this.#bytesPerSecond);
      if (line.full) from.pause();
    });
    from.on('end', () => line.end());
    from.on('error', () => resetLink(link));
    from.on('close', () => {
      this.#heldLinks.delete(link);
      if (!from.readableEnded) resetLink(link);
      if (link.near.closed && link.far.closed) this.#links.delete(link);
    });
  }

  #apply(link: Link): void {
    const { near, far } = link;
    for (const [direction, from] of [
      ['in', near],
      ['out', far],
    ] as const) {
      const held = this.#held.has(direction) || (this.#heldLinks.get(link)?.has(direction) ?? false);
      if (held || link.lines.get(from)?.full) from.pause();
      else from.resume();
    }
  }
}

function resetLink({ near, far }: Link): void {
  for (const socket of [near, far]) if (!socket.destroyed) socket.resetAndDestroy();
}
