type Call = (method: 'GET', path: string) => Promise<unknown>;

interface Page {
  readonly has_more?: boolean;
  readonly [field: string]: unknown;
}

/**
 * A list of the admin API with all its pages as one, in the form of a page.
 * @param field which holds the items
 * @param idField which holds an item's id
 */
export async function allPages(call: Call, path: string, field: string, idField: string): Promise<Page> {
  const items: unknown[] = [];
  for (let query = ''; ; ) {
    const page = (await call('GET', `${path}${query}`)) as Page;
    items.push(...((page[field] as unknown[] | undefined) ?? []));
    const last = items.at(-1) as Readonly<Record<string, unknown>> | undefined;
    if (page.has_more !== true || last === undefined) return { ...page, [field]: items };
    query = `?${new URLSearchParams({ after: String(last[idField]) })}`;
  }
}
