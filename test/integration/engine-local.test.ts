import { conformance } from '../helpers/conformance.js';

conformance('processes of this machine', { engine: () => undefined });
