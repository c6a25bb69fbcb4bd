/**
 * The page of a report: its template with style and script inlined, so that it is one file and asks no network for
 * anything. What it may do is stated in it as a policy: run this script, use this style, nothing else.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { minify } from 'terser';

const { resolve } = createRequire(import.meta.url);

/** Leaves `report.html` in `folder`; `src/report.ts` puts the data in. */
export async function buildPage(root, folder) {
  const source = join(root, 'src/report/page');
  const [template, licence, script, style] = await Promise.all([
    readFile(join(source, 'page.html'), 'utf8'),
    readFile(resolve('uplot/package.json').replace('package.json', 'LICENSE'), 'utf8'),
    bundle({ entryPoints: [join(source, 'main.ts')], format: 'iife' }).then(smaller),
    bundle({
      stdin: {
        contents: "@import 'uplot/dist/uPlot.min.css'; @import './style.css';",
        loader: 'css',
        resolveDir: source,
      },
    }),
  ]);
  if (script.includes('</script')) throw new Error('The script of the page would end its own element.');
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const licences = `<!-- Charts are drawn by uPlot, https://github.com/leeoniya/uPlot\n\n${licence.trim()}\n-->`;
  const page = [
    ['<!-- policy -->', policy],
    ['<!-- licences -->', licences],
    ['<style></style>', `<style>${style}</style>`],
    ['<script></script>', `<script>${script}</script>`],
  ].reduce((text, [slot, value]) => text.replace(slot, () => value), template);
  await writeFile(join(folder, 'report.html'), page);
}

async function bundle(options) {
  const { outputFiles } = await build({
    bundle: true,
    minify: true,
    write: false,
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    ...options,
  });
  return outputFiles[0].text.trim();
}

async function smaller(script) {
  const { code = '' } = await minify(script, { compress: { passes: 2, ecma: 2020 } });
  return code;
}

function digest(text) {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
