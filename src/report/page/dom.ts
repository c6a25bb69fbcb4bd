/** What an element may hold. Texts become text nodes: what jobs say is never read as HTML. */
export type Child = Node | string | number | undefined | readonly Child[];

/**
 * An element.
 *
 * @param attributes as in HTML; those that are undefined are left out
 */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  append(element, children);
  return element;
}

function append(element: HTMLElement, children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

/** A column of a table: its heading, and how its cells are set. */
export interface Column {
  readonly title: string;
  readonly numeric?: boolean;
}

/** A table that scrolls sideways where it is wider than the page. The first cell of each row is its heading. */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Child[])[]) {
  const head = columns.map(({ title, numeric }) => h('th', { scope: 'col', class: kind(numeric) }, title));
  const body = rows.map((row) =>
    h(
      'tr',
      {},
      row.map((cell, at) => {
        const attributes = { class: kind(columns[at]?.numeric), scope: at === 0 ? 'row' : undefined };
        return h(at === 0 ? 'th' : 'td', attributes, cell);
      }),
    ),
  );
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h(
      'table',
      {},
      h('caption', { class: 'unseen' }, caption),
      h('thead', {}, h('tr', {}, head)),
      h('tbody', {}, body),
    ),
  );
}

function kind(numeric: boolean | undefined): string | undefined {
  return numeric === true ? 'number' : undefined;
}
