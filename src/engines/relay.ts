import type { Clock, Timer } from '../clock.js';
import type { EngineEvents } from '../engine.js';
import type { BackendEvents } from './backend.js';
import { engineError } from './codes.js';
import type { Dispatcher } from './dispatcher.js';

/** What the backend tells, to whoever is there by now: the run may not have begun. */
export class Relay implements BackendEvents {
  /** Rejects where the run can not begin any more. */
  readonly gaveUp: Promise<never>;
  private dispatcher: Dispatcher | undefined;
  private events: EngineEvents | undefined;
  private early: Error[] = [];
  private reason: { readonly error: Error; readonly chunks: 'kept' | 'dropped' } | undefined;
  private isUp = true;
  private timer: Timer | undefined;
  private reject: (error: Error) => void = () => {};

  /** @param downTimeout milliseconds that the server may be away, undefined for ever */
  constructor(
    private readonly clock: Clock,
    private readonly downTimeout: number | undefined,
  ) {
    this.gaveUp = new Promise((_, reject) => {
      this.reject = reject;
    });
    this.gaveUp.catch(() => {});
  }

  /** From here on everything is told. */
  to(dispatcher: Dispatcher, events: EngineEvents): void {
    this.dispatcher = dispatcher;
    this.events = events;
    dispatcher.reachable(this.isUp);
    for (const error of this.early.splice(0)) events.warning(error);
    if (this.reason !== undefined) this.giveUp(this.reason.error, this.reason.chunks);
  }

  end(): void {
    this.clock.clear(this.timer);
  }

  finished(...about: Parameters<BackendEvents['finished']>): void {
    this.dispatcher?.finished(...about);
  }

  progress(id: string, data: unknown): void {
    this.dispatcher?.progress(id, data);
  }

  down(error: Error): void {
    this.isUp = false;
    this.dispatcher?.reachable(false);
    this.warning(error);
    const { downTimeout } = this;
    if (downTimeout !== undefined) {
      this.timer = this.clock.after(downTimeout, () => this.giveUp(error, 'kept'));
    }
  }

  up(): void {
    this.isUp = true;
    this.dispatcher?.reachable(true);
    this.clock.clear(this.timer);
    this.warning(engineError('ERR_ENGINE_RECOVERED', 'The connection to the server is back'));
  }

  warning(error: Error): void {
    if (this.events === undefined) this.early.push(error);
    else this.events.warning(error);
  }

  dispossessed(error: Error): void {
    this.giveUp(error, 'dropped');
  }

  private giveUp(error: Error, chunks: 'kept' | 'dropped'): void {
    this.reason ??= { error, chunks };
    this.reject(error);
    this.events?.failed(error);
    this.dispatcher?.abandon(chunks);
  }
}
