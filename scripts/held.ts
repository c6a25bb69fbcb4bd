/** Stands for a built file that has nothing of its own, but modules that others take from it: see `HELD` in bundles.ts. */
export {};
