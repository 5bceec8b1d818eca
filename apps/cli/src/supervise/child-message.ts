import { z } from 'zod';

/** What the API and worker processes tell their supervisor over the IPC channel. */
export const ChildMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), message: z.string() }),
  z.object({ type: z.literal('failed'), message: z.string() }),
  z.object({
    type: z.literal('ready'),
    url: z.string().optional(),
    relayAddress: z.string().optional(),
    managementUrl: z.string().optional(),
    workerId: z.string().optional(),
    models: z.array(z.string()).optional(),
  }),
]);
export type ChildMessage = z.infer<typeof ChildMessage>;
export type ReadyMessage = Extract<ChildMessage, { type: 'ready' }>;
