'use strict';
// The real input of most examples: files that lie in node_modules, written by many people.

const fs = require('node:fs');
const path = require('node:path');

/** The files below a folder. Links are not followed: `node_modules/threadfactory` is one, to the folder we are in. */
function* walk(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(file);
    else if (entry.isFile()) yield file;
  }
}

/**
 * The files below a folder whose names end so, sorted, at most `limit`.
 * @param {{ folder: string, ending: string, limit?: number }} which
 * @returns {string[]} absolute paths
 */
function filesBelow({ folder, ending, limit = Number.POSITIVE_INFINITY }) {
  return [...walk(path.resolve(folder))]
    .filter((file) => file.toLowerCase().endsWith(ending))
    .sort()
    .slice(0, limit);
}

module.exports = { filesBelow };
