/** Installs what tests need besides the packages of this project, so that they don't have to: `npm run tools`. */
import { installExamples } from './helpers/examples.js';
import { MAJORS, nodeOfMajor } from './helpers/nodes.js';

await installExamples();
for (const major of MAJORS) await nodeOfMajor(major);
