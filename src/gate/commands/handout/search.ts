/** Finds the oldest jobs that may start, for a claim. It changes nothing and locks nothing. */

import type { ClaimRequest } from "../../../contract/jobs.ts";
import type { Reach } from "../../../contract/names/repo-pattern.ts";
import { all, type Tx } from "../../../store/port.ts";
import { flag, inlineInteger, list, raw, sql, when, type Statement } from "../../../store/sql.ts";
import { heldReason } from "../../rule/predicate.ts";
import { inReach } from "../../rule/reach.ts";
import type { Visibility } from "../../rule/visibility.ts";
import type { BatchContext } from "../context.ts";
import { isOvertaken } from "../overtakes.ts";

/** All that the answer to a claim says of a job, but for its lease. */
export interface ClaimableJob {
  readonly id: number;
  readonly task_id: number | null;
  readonly repo: string | null;
  readonly agent: string;
  readonly task_content: string | null;
  /** Before the claim: how often it was claimed. */
  readonly attempts: number;
  readonly max_attempts: number;
  readonly work_item_id: string | null;
  readonly stage: string | null;
  /** 1 when its task must be told of a finish. */
  readonly overtaken: number;
  readonly answered_at: string | null;
}

/** A job that may start; where its lane is not locked yet, it is looked at again once it is. Where a writer is alone, it has
 *  all that the answer says, but for a payload of more than `MOST_READ` bytes. */
export type Candidate = Pick<ClaimableJob, "id" | "task_id" | "repo"> &
  Partial<ClaimableJob> & {
    /** Of its payload. */
    readonly bytes: number;
  };

/** A payload of so many bytes is read with the candidate: as many as a look may find make one page. */
export const MOST_READ = 8_192;

/** A worker takes jobs of a few agents; for more than this, one walk past the jobs of all is no worse. */
const FEW_AGENTS = 10;

/** A look for jobs: of these agents and repositories, behind that id. */
interface Search extends Pick<ClaimRequest, "agents" | "repos"> {
  readonly reach: Reach;
  readonly after: number;
  readonly limit: number;
}

/** The job's task, whether another overtook it, and when it was answered, as far as they can be read. */
export const itsTask = ({ stages, lanes }: Visibility, job: string): Statement => {
  const task = `(SELECT t.# FROM tasks t WHERE t.id = ${job}.task_id) AS #`;
  return sql`${raw(
    ["work_item_id", "stage", "answered_at"]
      .map((column) => (stages ? task.replaceAll("#", column) : `NULL AS ${column}`))
      .join(", "),
  )}, ${stages && lanes ? flag(isOvertaken(raw(`${job}.task_id`))) : raw("0")} AS overtaken`;
};

/** The columns of the answer. */
const answered = (visible: Visibility): Statement =>
  sql`, j.agent, j.attempts, j.max_attempts,
      CASE WHEN OCTET_LENGTH(j.task_content) <= ${inlineInteger(MOST_READ)} THEN j.task_content END AS task_content, ${itsTask(visible, "j")}`;

const candidates = (
  { rules, lookup: { visible, useReadyIndex }, isAlone }: BatchContext,
  { agents, repos, reach, after, limit }: Search,
): Statement => {
  const held = heldReason(rules.policy, visible);
  // A flag may be wrong: where no second look follows, this one must not find a job that is not queued.
  const isHeld = isAlone ? sql`CASE j.status WHEN 'queued' THEN (${held}) ELSE j.status END` : sql`(${held})`;
  const oldest = (ofAgents: Statement): Statement =>
    sql`SELECT j.id, j.task_id, j.repo, COALESCE(OCTET_LENGTH(j.task_content), 0) AS bytes${when(isAlone, answered(visible))}
    FROM jobs j WHERE ${raw(useReadyIndex ? "j.ready = 1" : "j.status = 'queued'")}${ofAgents}${when(
      repos !== undefined,
      sql` AND j.repo IN ${list(repos ?? [])}`,
    )}${inReach(reach, "j")}${when(after > 0, sql` AND j.id > ${after}`)} AND ${isHeld} IS NULL
    ORDER BY j.id LIMIT ${inlineInteger(limit)}`;

  if (agents === undefined) return oldest(raw(""));
  const each = [...new Set(agents)];
  if (each.length === 1 || each.length > FEW_AGENTS) return oldest(sql` AND j.agent IN ${list(each)}`);
  // Agent by agent, in the order of the index that has them so: not past the jobs of all the others.
  const arms = each.map(
    (agent, arm) => sql`SELECT * FROM (${oldest(sql` AND j.agent = ${agent}`)}) AS arm_${inlineInteger(arm)}`,
  );
  return sql`${arms.reduce((before, arm) => sql`${before} UNION ALL ${arm}`)} ORDER BY id LIMIT ${inlineInteger(limit)}`;
};

/** The oldest claimable jobs that a search finds. */
export const findCandidates = (context: BatchContext, search: Search): Tx<Candidate[]> =>
  all<Candidate>(candidates(context, search));
