/** The roles of callers and the rights that each has: the one table. Routes name a right, tokens name a role. */

/** Rights of routes. `anyone` needs no token. */
export const RIGHTS = ["anyone", "watch", "read", "monitor", "work", "produce", "operate"] as const;
export type Right = (typeof RIGHTS)[number];

export const ROLES = ["viewer", "worker", "producer", "operator"] as const;
export type Role = (typeof ROLES)[number];

const RIGHTS_OF: Readonly<Record<Role, readonly Right[]>> = {
  viewer: ["anyone", "watch", "read", "monitor"],
  worker: ["anyone", "watch", "work"],
  producer: ["anyone", "watch", "read", "monitor", "produce"],
  operator: RIGHTS,
};

/** Roles that see payloads and results. A worker gets the payload of a job that it claims. */
const SEES_CONTENTS: readonly Role[] = ["producer", "operator"];

export const rightsOf = (role: Role): Right[] => [...RIGHTS_OF[role]];

export const mayDo = (role: Role, right: Right): boolean => RIGHTS_OF[role].includes(right);

export const maySeeContents = (role: Role): boolean => SEES_CONTENTS.includes(role);

/** The roles that have a right, those with the fewest rights first. */
export const rolesWith = (right: Right): Role[] => ROLES.filter((role) => mayDo(role, right));
