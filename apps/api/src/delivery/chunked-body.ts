import type { ServerResponse } from 'node:http';

/** Bodies with something to write in this turn of the event loop. */
const waiting: ChunkedBody[] = [];

/**
 * The body of a streamed response, for very many small writes: what is written in one turn leaves as one chunk in one system
 * call. The frame of a chunk is put around the text here, since Node's own takes three buffers and a gathered write, which
 * is half of what a token's delivery costs.
 */
export class ChunkedBody {
  readonly #response: ServerResponse;
  #text = '';
  #begun = false;
  #ended = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  write(text: string): void {
    if (this.#text === '' && waiting.push(this) === 1) process.nextTick(flushAll);
    this.#text += text;
  }

  /** Ends the response after what was written. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const text = this.#text;
    this.#text = '';
    if (text === '') this.#response.end();
    else this.#response.end(text);
  }

  /** For the end of a turn. */
  flush(): void {
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    const response = this.#response;
    const { socket, destroyed } = response;
    if (destroyed) return;
    // The first write takes the headers along; without a socket an earlier response has it yet; HTTP/1.0 knows no chunks.
    if (!this.#begun || socket === null || !response.chunkedEncoding) {
      this.#begun = true;
      response.write(text);
      return;
    }
    const bytes = Buffer.byteLength(text);
    // ASCII, as most text is, is written without being transcoded.
    socket.write(`${bytes.toString(16)}\r\n${text}\r\n`, bytes === text.length ? 'latin1' : 'utf8');
  }
}

function flushAll(): void {
  const bodies = waiting.splice(0);
  for (const body of bodies) body.flush();
}
