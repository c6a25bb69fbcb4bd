import type { ErrorGroup, ErrorGroups } from '../data.js';
import type { Child } from './dom.js';
import { h } from './dom.js';
import { count, counted, jobName, moment } from './format.js';

/** Errors by class and message: one to open for each, with a stack and its jobs. */
export function errorList(
  { groups, others }: ErrorGroups,
  startedAt: number,
  kind: 'failed' | 'retry',
): Child {
  const all = groups.reduce((sum, group) => sum + group.count, others);
  const list = groups.map((group, at) =>
    entry(group, { startedAt, kind, all, open: at === 0 && kind === 'failed' }),
  );
  const more =
    others === 0
      ? undefined
      : h('p', { class: 'note' }, `And ${counted(others, 'error')} with still other messages.`);
  return [...list, more];
}

interface Setting {
  readonly startedAt: number;
  readonly kind: string;
  /** Errors in all groups. */
  readonly all: number;
  readonly open: boolean;
}

function entry(group: ErrorGroup, { startedAt, kind, all, open }: Setting): HTMLElement {
  const { name, message, code, jobs } = group;
  const share = h('span', { class: `bar ${kind}` });
  share.style.width = `${(100 * group.count) / Math.max(1, all)}%`;
  const more = group.count - jobs.length;
  return h(
    'details',
    { class: 'error', ...(open ? { open: '' } : {}) },
    h(
      'summary',
      {},
      h(
        'span',
        { class: 'amount' },
        count(group.count),
        h('span', { class: 'track', 'aria-hidden': 'true' }, share),
      ),
      h(
        'span',
        { class: 'what' },
        h('strong', {}, name),
        code === undefined ? undefined : h('code', { class: 'badge' }, code),
        ' ',
        message,
      ),
    ),
    h(
      'div',
      { class: 'more' },
      h('p', { class: 'note' }, span(group, startedAt)),
      h('pre', { tabindex: '0', 'aria-label': 'The stack of the first of them' }, group.stack),
      h(
        'div',
        { class: 'jobs', role: 'group', tabindex: '0', 'aria-label': 'Jobs' },
        jobs.map((job) => h('code', {}, jobName(job))),
        more > 0 ? h('span', { class: 'note' }, `and ${count(more)} more`) : undefined,
      ),
    ),
  );
}

function span({ firstAt, lastAt }: ErrorGroup, startedAt: number): string {
  const first = moment(startedAt + firstAt);
  const last = moment(startedAt + lastAt);
  return first === last ? first : `${first} to ${last}`;
}
