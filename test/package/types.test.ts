import { join, resolve } from 'node:path';
import type TS from 'typescript';
import { describe, expect, it } from 'vitest';
import { ts } from '../helpers/typescript.js';

/*
 * The tests of test/types, which are compiled against the built package and never run: what is checked is what users get.
 * Each of them is a test here and fails with what the compiler says of its lines. One program for all, beside the other
 * files: Vitest's own check of types comes after everything else, on one core.
 */

const FOLDER = resolve(import.meta.dirname, '../types');

/** A call of `it`, and where it stands in its file. */
interface TypeTest {
  readonly title: string;
  readonly from: number;
  readonly to: number;
}

const config = ts.getParsedCommandLineOfConfigFile(
  join(FOLDER, 'tsconfig.json'),
  {},
  {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
      throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
    },
  },
);
const files = config?.fileNames.filter((file) => /\.test-d\.[cm]?ts$/.test(file)) ?? [];

function testsOf(file: string): TypeTest[] {
  const source = ts.createSourceFile(file, ts.sys.readFile(file) ?? '', ts.ScriptTarget.ES2022);
  const found: TypeTest[] = [];
  const visit = (node: TS.Node, outer: string): void => {
    const [title, of] = titleOf(node) ?? [];
    const here = [outer, title].filter(Boolean).join(' ');
    if (of === 'it') found.push({ title: here, from: node.getStart(source), to: node.end });
    else ts.forEachChild(node, (child) => visit(child, here));
  };
  visit(source, '');
  return found;
}

/** The title of a call of `describe` or `it`, and which of them it is. */
function titleOf(node: TS.Node): [title: string, of: string] | undefined {
  if (!ts.isCallExpression(node) || !ts.isIdentifier(node.expression)) return undefined;
  const [first] = node.arguments;
  const isOne = ['describe', 'it'].includes(node.expression.text);
  return isOne && first !== undefined && ts.isStringLiteralLike(first)
    ? [first.text, node.expression.text]
    : undefined;
}

let found: readonly TS.Diagnostic[] | undefined;

/** All that the compiler has to say, asked once. */
function wrong(): readonly TS.Diagnostic[] {
  if (config === undefined) throw new Error(`There is no tsconfig.json in ${FOLDER}`);
  found ??= [
    ...ts.getConfigFileParsingDiagnostics(config),
    ...ts.getPreEmitDiagnostics(ts.createProgram(config.fileNames, config.options)),
  ];
  return found;
}

function textOf(diagnostics: readonly TS.Diagnostic[]): string {
  const host = { getCanonicalFileName: String, getCurrentDirectory: () => FOLDER, getNewLine: () => '\n' };
  return ts.formatDiagnostics(diagnostics, host);
}

const all = files.map((file) => ({ file, name: file.slice(FOLDER.length + 1), tests: testsOf(file) }));
const isIn = ({ file, start = -1 }: TS.Diagnostic, path: string, { from, to }: TypeTest): boolean =>
  file?.fileName === path && from <= start && start < to;

for (const { file, name, tests } of all) {
  describe(`the types in ${name}`, () => {
    for (const test of tests) {
      it(test.title, () => {
        expect(textOf(wrong().filter((one) => isIn(one, file, test)))).toBe('');
      });
    }
  });
}

it('the compiler has nothing to say of what stands around these tests', () => {
  const inFolder = ts.sys.readDirectory(FOLDER, ['.ts', '.mts', '.cts'], undefined, ['**/*.test-d.*']);
  expect([...files].sort()).toEqual(inFolder.sort());
  expect(all).not.toEqual([]);
  expect(all.filter(({ tests }) => tests.length === 0)).toEqual([]);
  const around = wrong().filter(
    (one) => !all.some(({ file, tests }) => tests.some((test) => isIn(one, file, test))),
  );
  expect(textOf(around)).toBe('');
});
