import { connect } from 'node:net';

/** True when a Redis protocol server answers PING at this address within a second. */
export function answersPing(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write('PING\r\n'));
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    // A server that wants a password or TLS is there too: -NOAUTH is an answer.
    socket.once('data', (data) => finish(/^[+-]/.test(data.toString())));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
    socket.setTimeout(1_000, () => finish(false));
  });
}
