import { expect, it } from 'vitest';
import { report } from '../../src/cli/report.js';

it.each([
  [[], 'Which journal?'],
  [[''], 'Which journal?'],
  [['one.jsonl', 'two.jsonl'], 'got `two.jsonl` besides'],
  [['one.jsonl', '--output', 'x'], 'Unknown flag --output'],
])('`report` refuses %j', async (args, message) => {
  await expect(report.run(args)).rejects.toThrow(message);
});
