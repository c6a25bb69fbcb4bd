/** The colours that charts are drawn in. */
const NAMES = ['text', 'quiet', 'line', 'card', 'done', 'failed', 'retry', 'crash'] as const;

type Colours = Record<(typeof NAMES)[number], string>;

/** The colours of the page as it is now: light or dark. */
export const colours: Colours = read();

function read(): Colours {
  const style = getComputedStyle(document.documentElement);
  const entries = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
  return Object.fromEntries(entries) as Colours;
}

/** Calls back when light has become dark or the other way round, or the page is printed; `colours` has changed by then. */
export function onThemeChange(redraw: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    Object.assign(colours, read());
    redraw();
  });
}

/** The same colour, so much of it. Those of the page are written `#rrggbb`. */
export function faded(colour: string, alpha: number): string {
  return `${colour}${Math.round(alpha * 255)
    .toString(16)
    .padStart(2, '0')}`;
}
