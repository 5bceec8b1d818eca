/**
 * The parts of a stream of server-sent events, as they come: `{ data }` for an event, `{ comment }` for what fills silence.
 * @param {ReadableStream<Uint8Array>} body
 */
export async function* readEvents(body) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of chunksOf(body)) {
    rest += decoder.decode(bytes, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      for (const line of block.split('\n')) {
        if (line.startsWith('data: ')) yield { data: line.slice(6) };
        else if (line.startsWith(': ')) yield { comment: line.slice(2) };
      }
    }
  }
}

/** Not every browser can loop over a body. */
async function* chunksOf(body) {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
