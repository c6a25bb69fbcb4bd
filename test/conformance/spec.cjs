/** What workers of the conformance suite run: each job says itself what it does. */

// An iterated factory hands nothing to its manager: then the list is where the test put it.
exports.manager = (list) => list ?? globalThis.conformanceList;

exports.workerProcess = async (job, context) => {
  if (typeof job === 'number') return job * 2;
  switch (job.do) {
    case 'echo':
      return job.value;
    case 'nothing':
      return undefined;
    case 'about':
      return { index: context.index, attempt: context.attempt, id: context.id };
    case 'fail':
      throw Object.assign(new RangeError(job.message), {
        code: 'E_TEST',
        detail: { a: [1, 2] },
        cause: new TypeError('why'),
      });
    case 'fail-until':
      if (context.attempt < job.attempt) throw new Error(`attempt ${context.attempt}`);
      return context.attempt;
    case 'die':
      return process.kill(process.pid, 'SIGKILL');
    case 'block':
      // As an endless loop does, without a core.
      return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    case 'work':
      // As above, for a while.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, job.ms);
      return job.ms;
    case 'wait':
      await new Promise((resolve) => setTimeout(resolve, job.ms));
      return job.ms;
    case 'progress':
      for (let at = 1; at <= job.times; at += 1) context.progress({ at });
      if (job.ms) await new Promise((resolve) => setTimeout(resolve, job.ms));
      return 'told';
    case 'hold':
      context.progress('held');
      if (job.on === undefined || job.on === context.machine)
        await new Promise((resolve) => setTimeout(resolve, job.ms));
      return context.machine;
    case 'env':
      return Object.keys(process.env).filter((name) => job.names.includes(name));
    case 'where':
      return context.machine;
    case 'kill-machine':
      // The machine is the parent: what it runs dies with it.
      return process.kill(process.ppid, 'SIGKILL');
    case 'function':
      return () => {};
    default:
      throw new Error(`The job asks for ${job.do}`);
  }
};
