/** What a context needs of the runner. */
export interface ContextHost {
  readonly id: number;
  readonly local: unknown;
  readonly machine: string | undefined;
  /** Sends progress of a job. */
  progress(index: number, data: unknown): void;
}

/**
 * What a job is told besides itself. One small object an attempt, whose copy (`{ ...context }`) has all of it but the
 * AbortSignal: that costs more than a tiny job, and is made only for those who ask.
 */
export class Context {
  #controller: AbortController | undefined;
  #reason: { readonly value: unknown } | undefined;
  #hasEnded = false;
  readonly id: number;
  readonly index: number | undefined;
  readonly attempt: number | undefined;
  readonly local: unknown;
  /** The machine's name, where there are several. */
  readonly machine: string | undefined;
  /** Of a job that has ended there is no progress: it would come after the job's own event. */
  readonly progress: (data: unknown) => void;

  constructor(host: ContextHost, index: number | undefined, attempt: number | undefined) {
    this.id = host.id;
    this.index = index;
    this.attempt = attempt;
    this.local = host.local;
    this.machine = host.machine;
    this.progress = (data) => {
      if (index !== undefined && !this.#hasEnded) host.progress(index, data);
    };
  }

  /** Fires when the run is stopped at once or the attempt is over its time. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason.value);
    return this.#controller.signal;
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
