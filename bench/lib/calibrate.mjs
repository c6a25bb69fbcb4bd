import functions from '../work/functions.cjs';

/** Iterations of `spin` in a millisecond on this machine: the median of a second's worth of short measurements. */
export function iterationsPerMs() {
  const batch = 2_000_000;
  for (let i = 0; i < 20; i++) functions.spin(batch / 10);
  const rates = [];
  const end = performance.now() + 1_000;
  while (performance.now() < end || rates.length < 5) {
    const start = performance.now();
    functions.spin(batch);
    rates.push(batch / (performance.now() - start));
  }
  rates.sort((a, b) => a - b);
  return Math.round(rates[rates.length >> 1]);
}
