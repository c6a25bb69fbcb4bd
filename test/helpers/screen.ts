import xterm from '@xterm/headless';

/**
 * A terminal without a window: what was written to it, and what it shows then.
 */
export class Screen {
  readonly isTTY = true;
  written = '';
  private readonly terminal: xterm.Terminal;
  private readonly listeners = new Map<string, Set<(...args: never[]) => void>>();

  constructor(
    public columns = 80,
    public rows = 24,
    private readonly colors = false,
  ) {
    this.terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, convertEol: true });
  }

  hasColors = (): boolean => this.colors;

  write = (text: string | Uint8Array): boolean => {
    const said = typeof text === 'string' ? text : Buffer.from(text).toString();
    this.written += said;
    this.terminal.write(said);
    return true;
  };

  on = (event: string, listener: (...args: never[]) => void): this => {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
    return this;
  };

  removeListener = (event: string, listener: (...args: never[]) => void): this => {
    this.listeners.get(event)?.delete(listener);
    return this;
  };

  /** How many listen. */
  get listening(): number {
    return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) Reflect.apply(listener, undefined, args);
  }

  /** Changes its size, as a user who pulls at the window does. */
  async resize(columns: number, rows = this.rows): Promise<void> {
    await this.settled();
    this.terminal.resize(columns, rows);
    Object.assign(this, { columns, rows });
    this.emit('resize');
  }

  /** What it shows, above the last line that has anything. */
  async lines(): Promise<string[]> {
    await this.settled();
    const { active } = this.terminal.buffer;
    const all: string[] = [];
    for (let row = 0; row < active.length; row += 1) {
      all.push(active.getLine(row)?.translateToString(true) ?? '');
    }
    return all.join('\n').trimEnd().split('\n');
  }

  /** Whether the last that was said of the cursor is that it be shown. */
  get cursorShown(): boolean {
    return this.written.lastIndexOf('\u001b[?25l') <= this.written.lastIndexOf('\u001b[?25h');
  }

  private async settled(): Promise<void> {
    await new Promise<void>((resolve) => this.terminal.write('', resolve));
  }
}
