import { execFileSync } from 'node:child_process';

/** How long a test waits for a terminal to show something, ms. */
const PATIENCE_MS = 20_000;

let opened = 0;

/**
 * A real pseudo-terminal, by tmux, with a shell in it. Its server is its own: whatever runs in the user's does not
 * meet it.
 */
export class Terminal {
  private readonly socket: string;

  constructor(folder: string, columns = 80, rows = 20) {
    opened += 1;
    this.socket = `threadfactory-${process.pid}-${opened}`;
    const { CI: _, NO_COLOR: __, NODE_OPTIONS: ___, TMUX: ____, ...env } = process.env;
    const size = ['-x', String(columns), '-y', String(rows)];
    const shell = ['sh', '-i'];
    execFileSync(
      'tmux',
      [...this.server, '-f', '/dev/null', 'new-session', '-d', '-c', folder, ...size, ...shell],
      {
        env: { ...env, PS1: '$ ', ENV: '' },
      },
    );
  }

  /** Types a command and Enter. */
  run(command: string): void {
    this.tmux('send-keys', '-l', command);
    this.tmux('send-keys', 'Enter');
  }

  /** Presses a key by tmux's name, such as `C-c`. */
  press(key: string): void {
    this.tmux('send-keys', key);
  }

  resize(columns: number, rows: number): void {
    this.tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** The lines that show something. @param styled with their escape sequences */
  lines(styled = false): string[] {
    const text = this.tmux('capture-pane', '-p', ...(styled ? ['-e'] : []));
    return text.split('\n').filter((line) => line.trim() !== '');
  }

  get cursorShown(): boolean {
    return this.tmux('display-message', '-p', '#{cursor_flag}').trim() === '1';
  }

  /** Resolves when the screen is as wanted; throws with what it shows when it does not get there. */
  async until(wanted: (lines: string[]) => boolean): Promise<string[]> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const lines = this.lines();
      if (wanted(lines)) return lines;
      if (performance.now() > deadline) throw new Error(`The terminal shows:\n${lines.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  close(): void {
    this.tmux('kill-server');
  }

  private get server(): string[] {
    return ['-u', '-L', this.socket];
  }

  private tmux(...args: string[]): string {
    return execFileSync('tmux', [...this.server, ...args], { encoding: 'utf8' });
  }
}
