/** What the function returns, or undefined if it throws: for a try whose failure is answered by something else. */
export function attempt<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}
