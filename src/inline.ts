import { Runner } from './child/runner.js';
import type { Clock } from './clock.js';
import { joined } from './codec.js';
import { runInside, runOutside } from './inside.js';
import type { Child, SpawnChild } from './manager/child.js';
import type { ChildMessage, ManagerMessage } from './protocol.js';
import { BRAND } from './protocol.js';
import type { CheckedSpec } from './spec.js';
import { withColumn } from './wire.js';

/**
 * `workers: 0`: the child's runner in the manager's own process, behind the interface of a forked child, so that
 * everything else (serialiser, batches, events, retries) is the same code. Nothing can be killed: an attempt that does
 * not end after its time is left behind.
 */
export function inlineSpawner(
  spec: CheckedSpec,
  options: { readonly concurrency: number; readonly timeout: number | undefined; readonly clock: Clock },
): SpawnChild {
  return (events) => {
    const { clock } = options;
    let gone = false;
    const send = (said: ChildMessage): undefined => {
      const message = withOwnMemory(said);
      clock.soon(() => {
        // Sent from within a job: what listeners do is no part of it.
        if (!gone) runOutside(() => events.message(message));
      });
    };
    const end = (): true => {
      clock.soon(() => {
        if (gone) return;
        gone = true;
        runOutside(() => events.exited({ code: 0, signal: null }));
      });
      return true;
    };
    const runner = new Runner(
      spec,
      { send: (message) => send(message) },
      {
        ...options,
        maxMemory: undefined,
        rss: () => 0,
        peakRss: () => 0,
        abandons: true,
      },
    );
    const child: Child = {
      pid: process.pid,
      label() {},
      stderr: () => '',
      kill: end,
      send(told) {
        const message = withOwnMemory(told);
        clock.soon(() => {
          if (message.type === 'begin') void runInside('job', () => runner.begin(message.id));
          else if (message.type === 'jobs') runInside('job', () => runner.accept(message));
          else if (message.type === 'finish') void runInside('job', () => runner.finish()).then(end);
          else if (message.type === 'abort') {
            void runner.abort();
            end();
          }
        });
      },
    };
    send({ brand: BRAND, type: 'loaded', took: 0 });
    return child;
  };
}

/** What a channel would copy at once: the message is read later, and until then the user may write into his Buffers. */
function withOwnMemory<Message extends ChildMessage | ManagerMessage>(message: Message): Message {
  return withColumn(message, joined);
}
