/** The jobs of a task: status, attempts, worker, progress, errors, and the buttons that end or repeat them. */

import type { JSX } from "preact";
import type { Explanation, Job } from "../../state/types.ts";
import { cancelJob, releaseJob, retryJob, type JobRef } from "../../model/actions.ts";
import { ageOf, REASON_WORDS, taskName, timeOf } from "../../model/words.ts";
import { ActionButton, Age, Empty, Section, State, Text } from "../common/parts.tsx";

const STATES: Readonly<Record<string, string>> = {
  queued: "waiting",
  delayed: "waiting",
  running: "running",
  failed: "failed",
  done: "idle",
  cancelled: "idle",
};

const Times = ({ job }: { job: Job }): JSX.Element => {
  const started = timeOf(job.started_at);
  const finished = timeOf(job.finished_at);
  if (job.status === "running")
    return (
      <>
        runs for <Age since={started} />
      </>
    );
  if (job.status === "delayed" && job.run_after !== null)
    return (
      <>
        again at <Text>{job.run_after.replace("T", " ").slice(0, 19)}</Text>
      </>
    );
  if (finished !== null)
    return (
      <>
        ended <Age since={finished} suffix=" ago" />
        {started !== null && finished >= started && `, took ${ageOf(started, finished)}`}
      </>
    );
  return (
    <>
      created <Age since={timeOf(job.created_at)} suffix=" ago" />
    </>
  );
};

const JobRow = ({ job, explanation }: { job: Job; explanation: Explanation }): JSX.Element => {
  const { task } = explanation;
  const held = explanation.jobs.find(({ job_id }) => job_id === job.id);
  const { reason = null, position = null, estimate } = held ?? {};
  const ref: JobRef = {
    job_id: job.id,
    repo: task.repo,
    of: `${job.agent} of ${taskName(task.work_item_id, task.id)}`,
  };
  return (
    <li class="job">
      <span class="job-id">job {job.id}</span>
      <span class="job-agent">
        <Text>{job.agent}</Text>
      </span>
      <State state={STATES[job.status] ?? "idle"}>{job.status}</State>
      <span class="faint">
        {job.attempt > 0 && `attempt ${job.attempt} of ${job.max_attempts}`}
        {reason !== null && `held: ${REASON_WORDS[reason] ?? reason}`}
        {position !== null && `, position ${position}`}
      </span>
      <span class="faint job-times">
        <Times job={job} />
        {job.lease !== null && (
          <>
            {" on "}
            <Text>{job.lease.worker ?? "a worker without a name"}</Text>
          </>
        )}
      </span>
      <span class="buttons">
        {job.status === "failed" && <ActionButton action={retryJob(ref)} label="Retry…" primary />}
        {job.status === "running" && <ActionButton action={releaseJob(ref)} label="Release by force…" />}
        {["queued", "delayed", "failed"].includes(job.status) && (
          <ActionButton action={cancelJob(ref)} label="Cancel…" />
        )}
      </span>
      {(job.progress ?? job.error) !== null && (
        <p class={`job-words ${job.error === null ? "" : "bad"}`}>
          <Text>{job.progress ?? job.error ?? ""}</Text>
        </p>
      )}
      {typeof estimate?.p50 === "string" && (
        <p class="job-words faint">
          Starts in about <Until iso={estimate.p50} />
          {estimate.p90 !== null && (
            <>
              , with 90 % within <Until iso={estimate.p90} />
            </>
          )}
          .
        </p>
      )}
    </li>
  );
};

const Until = ({ iso }: { iso: string }): JSX.Element => (
  <time dateTime={iso} title={iso}>
    {ageOf(Date.now(), timeOf(iso) ?? Date.now())}
  </time>
);

/** The jobs as `GET /tasks/{id}` has them; those of the explanation for a caller who may not read tasks. */
export const Jobs = ({
  explanation,
  jobs,
}: {
  explanation: Explanation;
  jobs: readonly Job[] | undefined;
}): JSX.Element => (
  <Section title="Jobs" id="jobs-title">
    {jobs === undefined ? (
      <ul class="jobs">
        {explanation.jobs.map(({ job_id, agent, status, reason }) => (
          <li key={job_id} class="job">
            <span class="job-id">job {job_id}</span>
            <span class="job-agent">
              <Text>{agent}</Text>
            </span>
            <State state={STATES[status] ?? "idle"}>{status}</State>
            <span class="faint">{reason !== null && REASON_WORDS[reason]}</span>
          </li>
        ))}
      </ul>
    ) : jobs.length === 0 ? (
      <Empty>It has no job.</Empty>
    ) : (
      <ul class="jobs">
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} explanation={explanation} />
        ))}
      </ul>
    )}
  </Section>
);
