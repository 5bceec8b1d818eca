import { z } from 'zod';
import { HubError, TransientHubError } from './hub-error.ts';

/** A file of a repository, as the hub lists it. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  readonly checksum: { readonly kind: 'sha256' | 'git-blob'; readonly hex: string };
}

const Revision = z.looseObject({ sha: z.string().regex(/^[0-9a-f]{7,64}$/) });
const Tree = z.array(
  z.looseObject({
    type: z.string(),
    path: z.string().min(1),
    size: z.int().min(0).default(0),
    oid: z.string(),
    lfs: z.looseObject({ oid: z.string(), size: z.int().min(0) }).nullish(),
  }),
);

export interface HubOptions {
  /** For example https://huggingface.co */
  readonly url: string;
  readonly token?: string;
  /** Without a byte for so long a connection counts as broken. */
  readonly idleMs: number;
}

/** Speaks Hugging Face's HTTP API: https://huggingface.co/docs/hub/api */
export class HubClient {
  readonly #options: HubOptions;

  constructor(options: HubOptions) {
    this.#options = { ...options, url: options.url.replace(/\/+$/, '') };
  }

  /** The commit that a branch, tag or commit stands for, so that all files are of one state. */
  async commit(repo: string, revision: string): Promise<string> {
    const { body } = await this.#json(
      `/api/models/${repo}/revision/${encodeURIComponent(revision)}`,
      `${repo}@${revision}`,
    );
    return this.#checked(Revision, body, repo).sha;
  }

  async files(repo: string, commit: string): Promise<HubFile[]> {
    const files: HubFile[] = [];
    const pages = new Set<string>();
    let next: string | null = `/api/models/${repo}/tree/${commit}?recursive=true`;
    while (next !== null) {
      if (pages.has(next)) throw new HubError(repo, "the pages of the hub's list go round", 'check MILLRACE_HUB_URL');
      pages.add(next);
      const { body, link }: { body: unknown; link: string | null } = await this.#json(next, repo);
      for (const { type, path, size, oid, lfs } of this.#checked(Tree, body, repo)) {
        if (type !== 'file') continue;
        files.push(
          lfs == null
            ? { path, bytes: size, checksum: { kind: 'git-blob', hex: oid } }
            : { path, bytes: lfs.size, checksum: { kind: 'sha256', hex: lfs.oid.replace(/^sha256:/, '') } },
        );
      }
      next = /<([^>]+)>;\s*rel="next"/.exec(link ?? '')?.[1] ?? null;
    }
    return files;
  }

  /**
   * A file's bytes from `from` on; `status` 206 when the hub continues there, 200 when it begins anew.
   * @throws HubError; TransientHubError where another try can help
   */
  async content(repo: string, commit: string, path: string, from: number, signal: AbortSignal): Promise<Response> {
    const escaped = path.split('/').map(encodeURIComponent).join('/');
    const range = from > 0 ? { range: `bytes=${from}-` } : undefined;
    return this.#get(`/${repo}/resolve/${commit}/${escaped}`, `${repo}/${path}`, signal, range);
  }

  get idleMs(): number {
    return this.#options.idleMs;
  }

  async #json(path: string, what: string): Promise<{ body: unknown; link: string | null }> {
    const response = await this.#get(path, what, AbortSignal.timeout(this.#options.idleMs));
    try {
      return { body: await response.json(), link: response.headers.get('link') };
    } catch (cause) {
      throw new TransientHubError(what, 'the hub answered with something that is not JSON', 'check MILLRACE_HUB_URL', {
        cause,
      });
    }
  }

  async #get(path: string, what: string, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
    const { url, token } = this.#options;
    // A mirror may lie below a path of its host.
    const target = new URL(path.startsWith('/') ? `${url}${path}` : path);
    // Pages of a list are links of the hub's: a token goes to the hub alone. fetch takes it off redirects to other hosts.
    const authorization = token !== undefined &&
      target.origin === new URL(url).origin && { authorization: `Bearer ${token}` };
    let response: Response;
    try {
      response = await fetch(target, {
        signal,
        headers: { 'accept-encoding': 'identity', ...authorization, ...headers },
      });
    } catch (cause) {
      throw new TransientHubError(
        what,
        `${target.origin} cannot be reached (${reason(cause)})`,
        'check the network, or set MILLRACE_HUB_URL to a mirror; without a network copy a model folder here, or use millrace models import',
        { cause },
      );
    }
    if (response.ok || response.status === 416) return response;
    await response.body?.cancel();
    throw refusal(response, what, token !== undefined);
  }

  #checked<Schema extends z.ZodType>(schema: Schema, body: unknown, what: string): z.output<Schema> {
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new HubError(
      what,
      `the hub's answer is not understood (${issue?.path.join('.')}: ${issue?.message})`,
      'check MILLRACE_HUB_URL',
    );
  }
}

function refusal({ status, statusText, headers }: Response, what: string, hasToken: boolean): HubError {
  const said = headers.get('x-error-message');
  if (status === 401 || status === 403)
    return new HubError(
      what,
      `the hub refuses access (${status}${said === null ? '' : `: ${said.replace(/\.$/, '')}`})`,
      hasToken
        ? 'check that the name is right, that the token may read it, and that its terms were accepted on the hub'
        : 'check the name; if it is private or gated, set MILLRACE_HUB_TOKEN',
    );
  if (status === 404) return new HubError(what, 'the hub does not have it (404)', 'check the name and --revision');
  if (status === 408 || status === 429 || status >= 500)
    return new TransientHubError(what, `the hub answered ${status} ${statusText}`, 'try again later');
  return new HubError(what, `the hub answered ${status} ${statusText}`, 'check MILLRACE_HUB_URL');
}

export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : null;
  return code ?? (cause instanceof Error ? cause.message : error.message);
}
