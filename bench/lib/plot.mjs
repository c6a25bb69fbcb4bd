// The plot of a run as a self-contained SVG: small panels of bars, the best on top, threadfactory in colour,
// yardsticks (no pool, batches by hand) in outline. Its own background, so that it reads in light and dark pages.
import contenders from '../contenders/index.cjs';
import { nameOf, number, ofRounds } from './report.mjs';
import { workloads } from './workloads.mjs';

const layout = {
  width: 900,
  margin: 24,
  gap: 36,
  head: 62,
  row: 19,
  bar: 12,
  label: 176,
  value: 74,
  title: 44,
};

const rate = (findings, workload, id) => {
  const time = findings.time(workload, id);
  return time && 1000 / time.median;
};

/** What is drawn: `value` of one contender; `log` scale; `low` where less is better; `yardsticks` shown beside peers. */
const panels = [
  {
    title: 'Jobs that do nothing, a second',
    hint: 'from an array; more is better, logarithmic scale',
    workload: 'noop-array',
    log: true,
    yardsticks: ['piscina-chunked', 'ceiling'],
    value: (findings, id) => rate(findings, 'noop-array', id),
  },
  {
    title: 'Jobs of 50 µs, times as long as the ceiling',
    hint: 'two static halves, no pool = 1; less is better',
    workload: 'cpu-50us',
    low: true,
    yardsticks: ['piscina-chunked', 'serial'],
    value: (findings, id) => findings.timeRatio('cpu-50us', id, 'ceiling')?.median,
  },
  {
    title: 'Uneven jobs, the longest last, over the best possible',
    hint: 'log-normal, mean 1 ms; max(total / workers, longest) = 1; less is better',
    workload: 'skew-lognormal-ascending',
    low: true,
    yardsticks: [],
    value: (findings, id) => findings.overBound('skew-lognormal-ascending', id)?.median,
  },
  {
    title: 'Buffers of 1 KB echoed, a second',
    hint: 'more is better',
    workload: 'payload-1kb',
    yardsticks: ['piscina-chunked'],
    value: (findings, id) => rate(findings, 'payload-1kb', id),
  },
  {
    title: 'Peak memory of a million jobs, MiB',
    hint: 'the calling process, results kept; less is better',
    workload: 'memory',
    low: true,
    yardsticks: ['piscina-chunked', 'serial'],
    value: (findings, id) => findings.figure('memory', id, ({ peak }) => peak)?.median,
  },
  {
    title: 'Cold start of a program with two jobs, ms',
    hint: 'spawn to exit; less is better',
    workload: 'cold',
    low: true,
    yardsticks: ['ceiling', 'serial'],
    value: (findings, id) => findings.figure('cold', id, ({ ms }) => ms)?.median,
  },
];

const style = `
  .page { fill: #ffffff; stroke: #d1d9e0; }
  text { font: 12px ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328; }
  .heading { font-size: 17px; font-weight: 600; }
  .title { font-size: 13px; font-weight: 600; }
  .muted { fill: #59636e; font-size: 11px; }
  .own { font-weight: 600; }
  .peer-bar { fill: #b4bdc7; }
  .own-bar { fill: #0969da; }
  .yardstick-bar { fill: none; stroke: #818b98; stroke-dasharray: 3 2; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #3d444d; }
    text { fill: #f0f6fc; }
    .muted { fill: #9198a1; }
    .peer-bar { fill: #545d68; }
    .own-bar { fill: #4493f8; }
    .yardstick-bar { stroke: #9198a1; }
  }
`;

const escapeXml = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function rowsOf(findings, panel) {
  const { contenders: ids } = workloads.find(({ id }) => id === panel.workload);
  const shown = ids.filter(
    (id) => id === 'threadfactory' || contenders.byId.get(id).peer || panel.yardsticks.includes(id),
  );
  return shown
    .map((id) => ({ id, value: panel.value(findings, id) }))
    .filter(({ value }) => value !== undefined)
    .sort((a, b) => (panel.low ? a.value - b.value : b.value - a.value));
}

function lengths(rows, { log }, room) {
  const values = rows.map(({ value }) => value);
  const most = Math.max(...values);
  if (!log) return values.map((value) => (value / most) * room);
  const least = 10 ** Math.floor(Math.log10(Math.min(...values) * 0.9));
  return values.map((value) => (Math.log(value / least) / Math.log(most / least)) * room);
}

const yardstickName = {
  ceiling: 'two forks, no pool',
  serial: 'one process, no pool',
  'piscina-chunked': 'piscina, 1 000 a call',
};

function drawPanel({ panel, rows, x, y, width }) {
  const bars = lengths(rows, panel, width - layout.label - layout.value);
  const lines = [
    `<text class="title" x="${x}" y="${y + 12}">${escapeXml(panel.title)}</text>`,
    `<text class="muted" x="${x}" y="${y + 28}">${escapeXml(panel.hint)}</text>`,
  ];
  rows.forEach(({ id, value }, index) => {
    const top = y + layout.title + index * layout.row;
    const kind = id === 'threadfactory' ? 'own' : contenders.byId.get(id).peer ? 'peer' : 'yardstick';
    const middle = top + layout.bar - 2;
    const start = x + layout.label;
    const length = Math.max(1, bars[index]).toFixed(1);
    const own = kind === 'own' ? ' class="own"' : '';
    lines.push(
      `<text${own} x="${start - 8}" y="${middle}" text-anchor="end">${escapeXml(yardstickName[id] ?? nameOf(id))}</text>`,
      `<rect class="${kind}-bar" x="${start}" y="${top}" width="${length}" height="${layout.bar}" rx="2"/>`,
      `<text${own} x="${(start + Number(length) + 6).toFixed(1)}" y="${middle}">${escapeXml(number(value))}</text>`,
    );
  });
  return lines.join('\n');
}

/** The plot of what a run measured; panels without figures are left out. */
export function plot(findings) {
  const { run } = findings;
  const drawn = panels
    .map((panel) => ({ panel, rows: rowsOf(findings, panel) }))
    .filter(({ rows }) => rows.some(({ id }) => id === 'threadfactory'));
  const width = (layout.width - 2 * layout.margin - layout.gap) / 2;
  const parts = [];
  let y = layout.head;
  for (let index = 0; index < drawn.length; index += 2) {
    const pair = drawn.slice(index, index + 2);
    pair.forEach(({ panel, rows }, column) => {
      parts.push(drawPanel({ panel, rows, x: layout.margin + column * (width + layout.gap), y, width }));
    });
    y += layout.title + Math.max(...pair.map(({ rows }) => rows.length)) * layout.row + 22;
  }
  const { cores, node, platform } = run.machine;
  const machine = `${cores} cores, ${run.workers} workers each, Node ${node}, ${platform}; ${ofRounds(run)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${y}" viewBox="0 0 ${layout.width} ${y}" role="img" aria-label="threadfactory beside other pools for Node">
<style>${style}</style>
<rect class="page" x="0.5" y="0.5" width="${layout.width - 1}" height="${y - 1}" rx="8"/>
<text class="heading" x="${layout.margin}" y="28">threadfactory beside other pools</text>
<text class="muted" x="${layout.margin}" y="45">${escapeXml(machine)}</text>
${parts.join('\n')}
</svg>
`;
}
