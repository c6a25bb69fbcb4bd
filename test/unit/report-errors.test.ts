import { describe, expect, it } from 'vitest';
import { Grouping, patternOf } from '../../src/report/error-groups.js';

describe('errors of a report', () => {
  it.each([
    ["ENOENT: no such file, open '/data/a-17.jpg'", "ENOENT: no such file, open '…'"],
    ['Job 17 took longer than 3.5 s', 'Job # took longer than # s'],
    ['user 1b4e28ba-2fa1-11d2-883f-0016d3cca427 is gone', 'user # is gone'],
    ['no object deadbeef01 here', 'no object # here'],
    ['x at 0x7ffe12', 'x at #'],
    ["can't reach host, won't try", "can't reach host, won't try"],
    ['Unexpected token "}"', 'Unexpected token "…"'],
    ['defaced facade', 'defaced facade'],
  ])('have a pattern: %s', (message, pattern) => {
    expect(patternOf(message)).toBe(pattern);
  });

  it('are grouped by class and pattern, the most frequent first', () => {
    const grouping = new Grouping();
    grouping.add(new TypeError('job 1'), { index: 1 }, 10);
    grouping.add(new Error('job 2'), { index: 2 }, 20);
    grouping.add(new Error('job 3'), { index: 3 }, 30);
    const { groups, others } = grouping.result(5);
    expect(others).toBe(0);
    expect(groups).toEqual([
      {
        name: 'Error',
        message: 'job #',
        count: 2,
        stack: expect.stringContaining('Error: job 2'),
        jobs: [{ index: 2 }, { index: 3 }],
        firstAt: 15,
        lastAt: 25,
      },
      expect.objectContaining({ name: 'TypeError', message: 'job 1', count: 1 }),
    ]);
  });

  it('keep their code, and the stacks of their causes', () => {
    const grouping = new Grouping();
    const cause = new RangeError('deep', { cause: { status: 503 } });
    grouping.add(Object.assign(new Error('top', { cause }), { code: 'E_TOP' }), { index: 0 }, 0);
    const [group] = grouping.result(0).groups;
    expect(group?.code).toBe('E_TOP');
    expect(group?.stack).toMatch(
      /^Error: top[\s\S]*\nCaused by: RangeError: deep[\s\S]*\nCaused by: \{ status: 503 \}$/,
    );
  });

  it('leave no trace when they are taken out again', () => {
    const grouping = new Grouping();
    const group = grouping.add(new Error('gone'), { index: 1, key: 'a' }, 0);
    grouping.remove(group, { index: 1, key: 'a' });
    expect(grouping.result(0)).toEqual({ groups: [], others: 0 });
  });

  it('keep the job that another one shares its key with when that is taken out', () => {
    const grouping = new Grouping();
    const [refused, again] = [
      { index: 3, key: 'a' },
      { index: 8, key: 'a' },
    ];
    const group = grouping.add(new Error('two jobs'), refused, 0);
    grouping.add(new Error('two jobs'), again, 0);
    grouping.remove(group, refused);
    expect(grouping.result(0).groups).toMatchObject([{ count: 1, jobs: [again] }]);
  });

  it('are only counted where there are too many groups', () => {
    const grouping = new Grouping();
    for (let index = 0; index < 300; index += 1) {
      grouping.add(new Error('x'.repeat(index + 1)), { index }, 0);
    }
    const { groups, others } = grouping.result(0);
    expect([groups.length, others]).toEqual([200, 100]);
  });
});
