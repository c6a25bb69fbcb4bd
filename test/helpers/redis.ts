import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A server of its own for each test file: Debian's redis-server, on a free port, without persistence. */

/** Whether there is one. Missing it is an error where everything has to be tested. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

/** For titles of tests that are skipped without it. */
export const WITHOUT_REDIS = 'skipped: there is no redis-server here (apt-get install redis-server)';

if (!hasRedis) {
  if (process.env.CI === 'true') throw new Error('CI=true, and there is no redis-server to test with');
  process.stderr.write(`\n*** Tests with a server are ${WITHOUT_REDIS} ***\n\n`);
}

/** A server under test. */
export class RedisServer {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly flags: readonly string[],
  ) {}

  /** @param flags beside port, address and no persistence */
  static async start(...flags: string[]): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'threadfactory-redis-'));
    const server = new RedisServer(await freePort(), folder, flags);
    await server.up();
    return server;
  }

  get connection(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.port };
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, or starts it again on the same port and folder. */
  async up(): Promise<void> {
    const { port, folder, flags } = this;
    const basics = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder];
    const args = [...basics, '--maxmemory-policy', 'noeviction', ...flags];
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child = child;
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${said}`)));
      child.stdout.on('data', (text: Buffer) => {
        said = `${said}${text.toString()}`.slice(-10_000);
        if (said.includes('Ready to accept connections')) resolve();
      });
    });
  }

  /** SIGKILLs it. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Stops it for a while, without closing its connections. */
  freeze(on: boolean): void {
    this.child?.kill(on ? 'SIGSTOP' : 'SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** One command in the server's own protocol, answered with its raw text. */
  async ask(...words: string[]): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    socket.end(
      `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
    );
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    return answer;
  }

  /** Asks again and again, a hundred times a second, until the answer begins so: a loop without a pause takes a core. */
  async answers(beginning: string, ...words: string[]): Promise<void> {
    while (!(await this.ask(...words)).startsWith(beginning)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port');
  return address.port;
}
