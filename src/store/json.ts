/** JSON columns: text in the database, or NULL for no value. */

export const encode = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value);

/** Parses a stored value. Text that is not JSON is returned as it is: the orchestrator writes plain text. */
export const decode = (stored: string | null): unknown => {
  if (stored === null) return null;
  try {
    return JSON.parse(stored) as unknown;
  } catch {
    return stored;
  }
};
