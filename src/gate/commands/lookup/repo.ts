/** Repository names: which are known, which look like a known one, and which are near. A name that makes state (a task,
 *  a freeze) is admitted here; a name that only looks something up is told what is near. */

import { GateError, type InputFault } from "../../../contract/errors.ts";
import { near } from "../../../contract/names/near.ts";
import { foldRepo, REPO_FORM, REPO_NAME } from "../../../contract/names/repo-name.ts";
import { sees, type Reach } from "../../../contract/names/repo-pattern.ts";
import { JOB_STATUSES } from "../../../contract/vocabulary.ts";
import { all, first, lockLane, run, tryLanes, type Tx } from "../../../store/port.ts";
import { exists, flag, inlineInteger, raw, rowsOf, sql, when, type Statement } from "../../../store/sql.ts";
import { groupBy } from "../../group-by.ts";
import { unfinishedInLane } from "../../rule/lane.ts";
import type { Rules } from "../../rule/policy.ts";
import { isActive } from "../../rule/reasons/freeze.ts";
import { inReach } from "../../rule/reach.ts";
import { EVERYTHING_READABLE, type Visibility } from "../../rule/visibility.ts";
import type { BatchContext } from "../context.ts";

/** The names that are searched for near ones: this many before the name in order, and as many after it. */
const NEAR_CANDIDATES = 1_000;
/** The most look-alikes of one name that are looked at. */
const MOST_ALIKE = 100;
/** The lanes that one transaction folds. */
const FOLDED_AT_ONCE = 500;

/** A repository as an answer describes its name. */
export interface Familiarity {
  /** A task, a job or a configured project has the repository. */
  readonly known: boolean;
  /** Known names that are near an unknown one. */
  readonly near: string[];
}

/** The names in the service's configuration. */
const configured = ({ policy, projects }: Pick<Rules, "policy" | "projects">): readonly string[] => [
  ...projects,
  ...(policy.repos ?? []),
];

const HAS_JOBS = JOB_STATUSES.map((status) => `l.${status} > 0`).join(" OR ");

/** True for a lane, `l`, with a job or an unfinished task. A lane's row outlives both, so that it proves nothing alone. */
const isBusyOrWas = ({ stages }: Visibility): Statement =>
  sql`(${raw(HAS_JOBS)}${when(stages, sql` OR ${exists(sql`tasks t WHERE t.repo = l.repo AND ${unfinishedInLane("t")}`)}`)})`;

/** The same, or with a finished task without any job: only this walks the tasks. */
const isInUse = (visible: Visibility): Statement =>
  sql`(${isBusyOrWas(visible)}${when(visible.stages, sql` OR ${exists(raw("tasks t WHERE t.repo = l.repo"))}`)})`;

const isFrozen = ({ freezes }: Visibility): Statement =>
  freezes ? exists(sql`repo_freeze f WHERE f.repo = l.repo AND ${isActive("f")}`) : raw("1 = 0");

interface Lane {
  readonly repo: string;
  readonly folded: string | null;
  readonly in_use: number;
  readonly frozen: number;
}

const lanes = (visible: Visibility, which: Statement): Statement =>
  sql`SELECT l.repo, l.folded, ${flag(isInUse(visible))} AS in_use,
      ${flag(isFrozen(visible))} AS frozen
    FROM gate_lanes l WHERE l.revision > 0 AND ${which}`;

function* readLane(repo: string, visible: Visibility): Tx<Lane | undefined> {
  return yield* first<Lane>(lanes(visible, sql`l.repo = ${repo}`));
}

const isNamed = ({ in_use, frozen }: Lane): boolean => in_use === 1 || frozen === 1;

const isKnown = ({ rules }: BatchContext, repo: string, lane: Lane | undefined): boolean =>
  (lane !== undefined && isNamed(lane)) || configured(rules).includes(repo);

/** Reads the lanes with a task, a job or an active freeze whose names look like a name, but for its own. */
function* knownLanesLike(repo: string, visible: Visibility): Tx<string[]> {
  const folded = foldRepo(repo);
  const proposed = yield* all<{ repo: string }>(
    sql`SELECT l.repo FROM gate_lanes l WHERE l.folded = ${folded} LIMIT ${inlineInteger(MOST_ALIKE)}`,
  );
  const unfolded = yield* all<{ repo: string }>(
    raw("SELECT l.repo FROM gate_lanes l WHERE l.folded IS NULL"),
  );
  const names = [...proposed, ...unfolded]
    .map((lane) => lane.repo)
    .filter((other) => other !== repo && foldRepo(other) === folded);
  if (names.length === 0) return [];
  return (yield* all<Lane>(lanes(visible, isAmong(names)))).filter(isNamed).map((lane) => lane.repo);
}

/** The same, with the configured names, among those that the caller may know. */
function* lookAlikes({ rules, lookup: { visible }, reach }: BatchContext, repo: string): Tx<string[]> {
  const folded = foldRepo(repo);
  const named = configured(rules).filter((other) => other !== repo && foldRepo(other) === folded);
  const alike = new Set([...(yield* knownLanesLike(repo, visible)), ...named]);
  return [...alike].filter((other) => sees(reach, other)).sort();
}

const isAmong = (names: readonly string[]): Statement =>
  sql`l.repo IN (SELECT named.value ->> 'repo' FROM ${rowsOf(
    names.slice(0, MOST_ALIKE).map((repo, index) => [index, { repo }]),
  )} AS named)`;

/** Records the folded name of a lane that is locked. */
function* remember(repo: string): Tx<void> {
  yield* run(sql`INSERT INTO gate_lanes(repo, revision, folded) VALUES (${repo}, 0, ${foldRepo(repo)})
    ON CONFLICT (repo) DO UPDATE SET folded = excluded.folded`);
}

const looksAlike = (repo: string, repos: readonly string[], place: Place): GateError => {
  const [one = ""] = repos;
  const spelled = repos.length === 1 ? `"${one}"` : `one of: ${repos.map((each) => `"${each}"`).join(", ")}`;
  return new GateError(
    "repo_looks_alike",
    `"${repo}" differs only by case, spaces, slashes or .git from a repository that is known: ${repos.join(", ")}.`,
    {
      hint: `Send the repository as ${one}.`,
      faults: [{ ...place, detail: `must be spelled ${spelled}` }],
      more: { repos },
    },
  );
};

/** Where a request has the name. */
type Place = Pick<InputFault, "in" | "pointer">;
export const IN_BODY: Place = { in: "body", pointer: "/repo" };
export const IN_QUERY: Place = { in: "query", pointer: "/repo" };

/** @throws GateError invalid_request */
const refuseForm = (repo: string, place: Place): void => {
  const faultOf = (detail: string): GateError =>
    new GateError("invalid_request", `repo ${detail}.`, { faults: [{ ...place, detail }] });
  if (!REPO_NAME.test(repo)) throw faultOf(`must be ${REPO_FORM}`);
  if (repo.startsWith("-")) throw faultOf("must not begin with a dash");
  if (/\.git$/i.test(repo)) throw faultOf("must not end in .git, which belongs to the address of a clone");
};

/** Refuses a name that looks like a known one, unless it is known itself.
 *  @throws GateError repo_looks_alike */
export function* refuseLookAlike(context: BatchContext, repo: string, place: Place): Tx<void> {
  if (isKnown(context, repo, yield* readLane(repo, context.lookup.visible))) return;
  const repos = yield* lookAlikes(context, repo);
  if (repos.length > 0) throw looksAlike(repo, repos, place);
}

/** Locks the lane of a repository that is about to get a task or a freeze. A known name is taken as it is, in whatever
 *  form another program made it. A new one must have the form of a name and look like no other; the lane of its folded
 *  name is locked first, so that of two look-alikes that come at once the second sees the first.
 *  @throws GateError repo_looks_alike, invalid_request */
export function* lockNamedLane(context: BatchContext, repo: string, place: Place): Tx<void> {
  const lane = yield* readLane(repo, context.lookup.visible);
  if (!isKnown(context, repo, lane)) {
    const folded = foldRepo(repo);
    if (folded !== "") yield* lockLane(folded);
    const repos = yield* lookAlikes(context, repo);
    if (repos.length > 0) throw looksAlike(repo, repos, place);
    refuseForm(repo, place);
  }
  yield* lockLane(repo);
  if ((lane?.folded ?? null) === null) yield* remember(repo);
}

/** Where names are looked for. */
interface Names {
  /** Known without any row. */
  readonly projects?: readonly string[];
  readonly visible?: Visibility;
}

/** Reads the known names that are near a name, among those that the caller may know. */
function* nearNames(
  repo: string,
  reach: Reach,
  { projects = [], visible = EVERYTHING_READABLE }: Names,
): Tx<string[]> {
  const some = (range: Statement, order: "ASC" | "DESC"): Tx<{ repo: string }[]> =>
    all(sql`SELECT l.repo FROM gate_lanes l WHERE ${range} AND l.revision > 0 AND ${isBusyOrWas(visible)}${inReach(reach, "l")}
      ORDER BY l.repo ${raw(order)} LIMIT ${inlineInteger(NEAR_CANDIDATES)}`);
  const before = yield* some(sql`l.repo < ${repo} AND l.repo <> ''`, "DESC");
  const after = yield* some(sql`l.repo > ${repo}`, "ASC");
  return near(repo, [
    ...[...before, ...after].map((lane) => lane.repo),
    ...projects.filter((other) => sees(reach, other)),
  ]);
}

/** Tells whether a repository is known, and which known ones are near if it is not.
 *  @param reach the repositories that the caller may know */
export function* familiarity(repo: string, reach: Reach, names: Names = {}): Tx<Familiarity> {
  const { projects = [], visible = EVERYTHING_READABLE } = names;
  const lane = sees(reach, repo) ? yield* readLane(repo, visible) : undefined;
  if (lane?.in_use === 1 || (projects.includes(repo) && sees(reach, repo))) return { known: true, near: [] };
  return { known: false, near: yield* nearNames(repo, reach, names) };
}

/** Folds the names of lanes that other programs made, at most some hundred; a lane that another transaction has locked
 *  keeps its turn.
 *  @returns true when there may be more */
export function* foldLanes(): Tx<boolean> {
  const rows = yield* all<{ repo: string }>(
    sql`SELECT l.repo FROM gate_lanes l WHERE l.folded IS NULL ORDER BY l.repo LIMIT ${inlineInteger(FOLDED_AT_ONCE)}`,
  );
  const locked = yield* tryLanes(rows.map(({ repo }) => repo));
  for (const repo of locked) yield* remember(repo);
  return rows.length === FOLDED_AT_ONCE && locked.size > 0;
}

/** Sentences about names that look alike: those of several lanes, and configured names that only look like a lane's. */
export function* nameWarnings({ policy, projects }: Pick<Rules, "policy" | "projects">): Tx<string[]> {
  const found = yield* all<Lane>(
    lanes(
      EVERYTHING_READABLE,
      raw(`l.folded IN (SELECT n.folded FROM gate_lanes n WHERE n.folded IS NOT NULL AND n.revision > 0
        GROUP BY n.folded HAVING COUNT(*) > 1 ORDER BY n.folded LIMIT ${MOST_ALIKE}) ORDER BY l.repo`),
    ),
  );
  const alike = groupBy(found.filter(isNamed), (lane) => lane.folded ?? "");
  const warnings = [...alike.values()]
    .filter((each) => each.length > 1)
    .map(
      (each) =>
        `${each.map(({ repo }) => repo).join(" and ")} look alike. Each is a lane of its own, with its own freezes.`,
    );
  const settings = { SERIAL_GATE_REPOS: policy.repos ?? [], SERIAL_GATE_PROJECTS: projects };
  for (const [name, repos] of Object.entries(settings))
    for (const repo of repos) {
      const lane = yield* readLane(repo, EVERYTHING_READABLE);
      const others = lane && isNamed(lane) ? [] : yield* knownLanesLike(repo, EVERYTHING_READABLE);
      if (others.length > 0)
        warnings.push(`${name}: no task or job has ${repo}. It looks like ${others.join(" and ")}.`);
    }
  return warnings;
}
