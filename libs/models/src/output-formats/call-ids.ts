import { createHash } from 'node:crypto';

/**
 * Ids of the tool calls of one choice of one request: `call_` and 24 characters, the same in every attempt at the request,
 * so that a stream that is resumed elsewhere goes on with the ids that the client knows.
 */
export function callIds(requestId: string, choice: number): (index: number) => string {
  return (index) =>
    `call_${createHash('sha256').update(`${requestId}\n${choice}\n${index}`).digest('base64url').replace(/[-_]/g, '0').slice(0, 24)}`;
}
