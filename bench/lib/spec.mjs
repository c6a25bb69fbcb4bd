import contenders from '../contenders/index.cjs';
import { countFor } from './workloads.mjs';

/**
 * Everything that one measuring process has to know, as plain data: `settings` are the run's ({ workers, quick }), `perMs`
 * the calibrated iterations of a millisecond.
 */
export function specFor({ workload, contender, settings, perMs }) {
  const { work, jobs, ms, distribution, order, bytes, measures, cold } = workload;
  const { workers, quick } = settings;
  const spec = {
    work,
    jobs,
    ms,
    distribution,
    order,
    bytes,
    measures,
    cold,
    workers,
    iterationsPerMs: perMs,
  };
  const { id, kind } = contenders.byId.get(contender);
  spec.contender = id;
  spec.kind = kind;
  spec.count = countFor({ workload, contender: { id, kind }, workers: cold ? 2 : workers, quick });
  spec.workers = cold ? 2 : workers;
  spec.source = workload.source ?? 'array';
  spec.keep = workload.keep ?? true;
  spec.inFlight = workload.unbounded?.includes(id) ? spec.count : (workload.inFlight ?? 1000);
  return spec;
}
