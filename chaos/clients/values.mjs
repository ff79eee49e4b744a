/** Values that the clients share. */

export const REPOS = ["acme/web", "acme/api", "acme/infra", "acme/docs", "beta/core", "beta/site"];

/** A time in so many milliseconds, as the service reads it. */
export const inFuture = (ms) => new Date(Date.now() + ms).toISOString();
