/**
 * Ships the licences of what is bundled from other projects, beside the built files: `LICENSES.txt`.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Options } from 'tsup';

/** Names of packages by the text of their licence: many share one. */
const texts = new Map<string, Set<string>>();

/** Notes every package a bundle took code from, and writes the file anew. */
export const licences: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'licences',
  setup(build) {
    build.initialOptions.metafile = true;
    build.onEnd(async ({ metafile }) => {
      const outputs = Object.values(metafile?.outputs ?? {});
      const inputs = outputs.flatMap((output) => Object.entries(output.inputs));
      const used = inputs
        .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
        .map(([path]) => packageOf(path));
      for (const folder of new Set(used.filter((folder) => folder !== undefined))) await note(folder);
      await writeFile(join(build.initialOptions.outdir ?? 'dist', 'LICENSES.txt'), document());
    });
  },
};

/** The folder of the package a file belongs to; undefined for our own. */
function packageOf(path: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}

async function note(folder: string): Promise<void> {
  const { name, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} ships no licence: it can't be bundled.`);
  const text = (await readFile(join(folder, file), 'utf8')).trim();
  const titled = `${license}\n\n${text}`;
  texts.set(titled, (texts.get(titled) ?? new Set()).add(name));
}

function document(): string {
  const parts = [...texts].map(([text, names]) => `${[...names].sort().join(', ')}: ${text}\n`);
  return `Parts of these packages are in the built files of threadfactory.\n\n${parts.sort().join(`\n${'-'.repeat(40)}\n\n`)}`;
}
