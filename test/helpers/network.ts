import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/**
 * A network that can fail, between a client and a server of this machine. What was under way when it stalled arrives when it
 * heals, as it does where TCP sends again what was lost.
 */
export class Network {
  private state: 'healthy' | 'stalled' | 'cut' = 'healthy';
  private readonly sockets = new Set<Socket>();
  private readonly held = new Set<() => void>();
  private readonly server: Server;

  private constructor(private readonly to: number) {
    this.server = createServer((near) => this.accept(near));
  }

  static async to(port: number): Promise<Network> {
    const network = new Network(port);
    network.server.listen(0, '127.0.0.1');
    await once(network.server, 'listening');
    return network;
  }

  get connection(): { host: string; port: number } {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('No port');
    return { host: '127.0.0.1', port: address.port };
  }

  /** Nothing goes through any more, either way, and nobody is told. */
  stall(): void {
    this.state = 'stalled';
    for (const socket of this.sockets) socket.pause();
  }

  /** Connections are broken, and new ones as well. */
  cut(): void {
    this.state = 'cut';
    for (const socket of this.sockets) socket.destroy();
  }

  heal(): void {
    this.state = 'healthy';
    for (const socket of this.sockets) socket.resume();
    for (const open of this.held) open();
    this.held.clear();
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(near: Socket): void {
    near.on('error', () => {});
    if (this.state === 'cut') {
      near.destroy();
      return;
    }
    this.watch(near);
    if (this.state === 'healthy') this.bridge(near);
    else this.held.add(() => this.bridge(near));
  }

  private bridge(near: Socket): void {
    if (near.destroyed) return;
    const far = connect(this.to, '127.0.0.1');
    far.on('error', () => {});
    this.watch(far);
    near.on('data', (data: Buffer) => far.write(data));
    far.on('data', (data: Buffer) => near.write(data));
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  }

  private watch(socket: Socket): void {
    this.sockets.add(socket);
    if (this.state === 'stalled') socket.pause();
    socket.once('close', () => this.sockets.delete(socket));
  }
}
