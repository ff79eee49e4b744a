/** JSON as the database keeps it: text, or NULL for no value. */

/** JSON for the database. */
export const encode = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value);

/** What the database holds; text of the orchestrator's that is no JSON is itself. */
export const decode = (stored: string | null): unknown => {
  if (stored === null) return null;
  try {
    return JSON.parse(stored) as unknown;
  } catch {
    return stored;
  }
};
