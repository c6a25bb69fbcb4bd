'use strict';
// The real input of most examples: files that lie in node_modules, written by many people.

const fs = require('node:fs');
const path = require('node:path');

/**
 * The files below a folder whose names end so, sorted, at most `limit`. Links are not followed.
 * @param {{ folder: string, ending: string, limit?: number }} which
 * @returns {string[]} absolute paths
 */
function filesBelow({ folder, ending, limit = Number.POSITIVE_INFINITY }) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.toLowerCase().endsWith(ending))
    .map((entry) => path.resolve(entry.parentPath, entry.name))
    .sort()
    .slice(0, limit);
}

module.exports = { filesBelow };
