/**
 * What a job is told besides itself. One small object an attempt; the AbortSignal and the bound `progress` are made
 * only for those who ask.
 */

/** What a context needs of the runner. */
export interface ContextHost {
  readonly id: number;
  readonly local: unknown;
  readonly machine: string | undefined;
  /** Sends progress of a job. */
  progress(index: number, data: unknown): void;
}

export class Context {
  readonly #host: ContextHost;
  #controller: AbortController | undefined;
  #reason: { readonly value: unknown } | undefined;
  #hasEnded = false;
  readonly index: number | undefined;
  readonly attempt: number | undefined;

  constructor(host: ContextHost, index: number | undefined, attempt: number | undefined) {
    this.#host = host;
    this.index = index;
    this.attempt = attempt;
  }

  get id(): number {
    return this.#host.id;
  }

  get local(): unknown {
    return this.#host.local;
  }

  /** The machine's name, where there are several. */
  get machine(): string | undefined {
    return this.#host.machine;
  }

  /** Fires when the run is stopped at once or the attempt is over its time. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason.value);
    return this.#controller.signal;
  }

  /** Of a job that has ended there is no progress: it would come after the job's own event. */
  get progress(): (data: unknown) => void {
    return (data) => {
      if (this.index !== undefined && !this.#hasEnded) this.#host.progress(this.index, data);
    };
  }

  /** Fires the signal, now or when somebody first looks at it. */
  static fire(context: Context, reason: unknown): void {
    context.#reason ??= { value: reason };
    context.#controller?.abort(reason);
  }

  /** Notes that the attempt is over. */
  static end(context: Context): void {
    context.#hasEnded = true;
  }
}
