/** Generated from openapi.yaml by `npm run openapi`. Do not edit. */

export interface paths {
    "/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List tasks in pages, ordered by id */
        get: operations["listTasks"];
        put?: never;
        /**
         * Create a task and its entry job
         * @description If the repository already has the work item, nothing changes and the existing task is returned.
         */
        post: operations["createTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tasks/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Find the task of a work item
         * @description The unfinished task if there is one, else the latest. Send `repo` if several repositories have the work item.
         */
        get: operations["resolveTask"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tasks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a task and its jobs */
        get: operations["getTask"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Move a task to a stage, or change its dependencies
         * @description `depends_on` is the new set of dependencies; an empty one drops all. A cycle is refused. Of a task that has started, it holds no more than queued entry jobs.
         */
        patch: operations["changeTask"];
        trace?: never;
    };
    "/tasks/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel a task and its queued and delayed jobs */
        post: operations["cancelTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List jobs in pages, the newest first
         * @description `status` may be repeated. A request looks at 5,000 jobs and answers 1 MiB at most, so a page may hold fewer jobs than `limit`: go on until `next_cursor` is null.
         */
        get: operations["listJobs"];
        put?: never;
        /** Enqueue a job for a task */
        post: operations["createJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a job */
        get: operations["getJob"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/claim": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Claim the oldest ready jobs
         * @description An empty body claims one job of any agent. `jobs` is empty if none is ready.
         */
        post: operations["claimJobs"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{id}/heartbeat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Renew a lease */
        post: operations["heartbeat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{id}/complete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Complete a job, move or pause its task, enqueue the next jobs and claim, in one transaction */
        post: operations["completeJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{id}/fail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Report a failure; the job is retried with backoff or fails for good */
        post: operations["failJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{id}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Return a job to the queue as if it had not been claimed
         * @description A worker returns its own job with `lease_token`. With `run_after` it is delayed until then; with `pause` its task is paused too, in the same transaction. With `force=true` an operator takes a running job from a worker that hangs, or one that another program left running: the body is `reason`, and the lease's token is worthless from then on.
         */
        post: operations["releaseJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Queue a failed job for another attempt */
        post: operations["retryJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel a job that has not started, or that failed */
        post: operations["cancelJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/serial-gate/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a task, or all tasks of a repository, so that later tasks may overtake
         * @description A pause bypasses neither a freeze nor a dependency. Pausing a paused task changes nothing. Send `work_item`, with `repo` if several repositories have it, or `task_id`. `repo` with `all=true` pauses every unfinished task of the repository that is not paused yet; unless lanes are strict they can then all start: to stop a repository, freeze it instead.
         */
        post: operations["pauseTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/serial-gate/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a paused task, or all tasks that were paused together
         * @description As pause: `work_item`, `task_id`, or `repo` with `all=true`, which resumes the tasks that a pause of the whole repository paused; a task that was paused by itself stays paused.
         */
        post: operations["resumeTask"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/freeze": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Freeze a repository until a person clears the freeze
         * @description Each call is a freeze of its own, also of a frozen repository: each is cleared, and `id` of an unfreeze tells them apart. `in_force` is false where the gate is switched off or its scope leaves the repository out: the freeze is recorded and holds nothing until that changes. `known` is false where nothing has the repository yet.
         */
        post: operations["freezeRepo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/unfreeze": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Clear all freezes of a repository, or one of them
         * @description With `id`, only that freeze is cleared: a freeze that came after the operator looked remains, and keeps the repository frozen.
         */
        post: operations["unfreezeRepo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The whole state: each lane's active task, and its waiting jobs with their reasons */
        get: operations["getQueue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/queue/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Why a work item waits: all its blockers down to the root, and the calls that remove them
         * @description Each call in `fix` is executed and rolled back; `effect` is its result. `chain` follows the first reason. Send `work_item`, with `repo` if several repositories have it, or `task_id`.
         */
        get: operations["explainWorkItem"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The event log: every change of a task, a job or a freeze, with its actor and reason
         * @description A page starts after an event (`after`), before one (`before`) or with the newest events (`last`); by default at the oldest event. A reader that sends each answer's `next_cursor` as the next `after` sees every event once. An `after` that is not in the log, because the database was restored or the events are no longer kept, is a 410 `cursor_unknown`. An event becomes visible when every change that began before it has ended, so it may be slightly late.
         */
        get: operations["listEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the event log (Server-Sent Events)
         * @description Starts after `Last-Event-ID` or `after`, with the `last` newest events, or with new events only. Each message has the event's `id`, its kind as `event` and its JSON as `data`. If the place is not in the log, the first message is a `reset` with the ids of the `oldest` and the `newest` event, and new events follow. A comment every 15 seconds keeps an idle stream alive. The stream ends when the service shuts down: reconnect with the last id.
         */
        get: operations["followEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/livez": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Liveness: the process answers */
        get: operations["alive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Readiness: the database answers and the service is not shutting down */
        get: operations["ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/whoami": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The caller's name, role and rights */
        get: operations["whoAmI"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description The reason that holds a queued entry job.
         * @enum {string}
         */
        Reason: "paused" | "finished" | "freeze" | "dependency" | "active-task";
        /** @description The actor and reason of a change. */
        Note: {
            /** @description The reason, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            reason?: string;
            /** @description The actor's name. With tokens it is the token's name, and may be left out. */
            by?: string;
        };
        /** @description A queued entry job that a change made ready, or now holds. */
        ChangedVerdict: {
            job_id: number;
            task_id: number | null;
            repo: string;
            work_item_id: string | null;
            reason: components["schemas"]["Reason"] | null;
        };
        /** @description The effect of a change on queued entry jobs. */
        Effect: {
            /** @description Jobs that were held and are ready now. */
            now_claimable: components["schemas"]["ChangedVerdict"][];
            /** @description Jobs that were ready and are held now. */
            now_held: components["schemas"]["ChangedVerdict"][];
            /** @description True where a list has the first 1,000 jobs only. */
            cut?: boolean;
        };
        /** @description An error (RFC 9457). */
        Problem: {
            type: string;
            title: string;
            status: number;
            /** @description A sentence for people. It may change; programs use `code`. */
            detail: string;
            /**
             * @description Stable, for programs:
             *
             *     - `ambiguous_work_item`: The work item exists in several repositories (`repos`), or has several unfinished tasks in one (`tasks`).
             *     - `answer_too_large`: The answer is larger than a tool of /mcp hands on: ask for less.
             *     - `body_too_large`: The body is larger than the service takes: 1 MiB by default.
             *     - `cross_origin`: Without tokens, the service answers neither other sites' pages nor other host names.
             *     - `cursor_unknown`: The event log does not reach back or ahead to the cursor (`oldest`, `newest`): events may have been missed.
             *     - `dependency_cycle`: The dependencies would form a cycle (`path`).
             *     - `draining`: The service is shutting down.
             *     - `expectation_failed`: The service meets no other expectation than `100-continue`.
             *     - `forbidden`: The token's role does not have the right (`roles` have it), or it is limited to other agents.
             *     - `headers_too_large`: The headers are larger than 16 KiB.
             *     - `idempotency_key_reused`: The Idempotency-Key was used for another request.
             *     - `internal_error`: A fault in the service; its log has the cause under `request_id`.
             *     - `invalid_http`: The request is not valid HTTP.
             *     - `invalid_json`: The body is not valid JSON, or nested too deep.
             *     - `invalid_request`: The input is invalid; `errors` points at it.
             *     - `job_not_cancellable`: Only a queued, delayed or failed job can be cancelled.
             *     - `job_not_failed`: Only a failed job can be retried.
             *     - `job_not_running`: Only a running job can be released by force.
             *     - `layer_disabled`: Pausing or freezing is switched off.
             *     - `lease_lost`: The token is not that of the job's current lease.
             *     - `method_not_allowed`: The path does not support the method; see `Allow`.
             *     - `not_found`: No such path.
             *     - `over_budget`: The token has used up one of its budgets; see `Retry-After`.
             *     - `overloaded`: Answers that callers have not taken yet fill the memory for answers; see `Retry-After`.
             *     - `payload_too_large`: A payload or a result is larger than the service takes: 256 KiB by default.
             *     - `repo_looks_alike`: The repository differs only by case, spaces, slashes or `.git` from known ones (`repos`).
             *     - `request_timeout`: The request was not whole within 30 s.
             *     - `storage_busy`: Another program has locked the database; nothing changed.
             *     - `storage_refused`: A constraint in the database does not allow the change; nothing changed.
             *     - `storage_unavailable`: The database does not answer; the change may or may not have happened.
             *     - `task_cancelled`: The task was cancelled.
             *     - `task_terminal`: The task is finished, and that is final.
             *     - `too_many_wrong_tokens`: The address has sent too many wrong tokens; see `Retry-After`.
             *     - `unauthorized`: No valid token.
             *     - `unknown_job`: No such job.
             *     - `unknown_repo`: The token may know no such repository.
             *     - `unknown_task`: No such task.
             *     - `unknown_work_item`: No task has the work item.
             *     - `unsupported_media_type`: Content-Type is not application/json.
             * @enum {string}
             */
            code: "ambiguous_work_item" | "answer_too_large" | "body_too_large" | "cross_origin" | "cursor_unknown" | "dependency_cycle" | "draining" | "expectation_failed" | "forbidden" | "headers_too_large" | "idempotency_key_reused" | "internal_error" | "invalid_http" | "invalid_json" | "invalid_request" | "job_not_cancellable" | "job_not_failed" | "job_not_running" | "layer_disabled" | "lease_lost" | "method_not_allowed" | "not_found" | "over_budget" | "overloaded" | "payload_too_large" | "repo_looks_alike" | "request_timeout" | "storage_busy" | "storage_refused" | "storage_unavailable" | "task_cancelled" | "task_terminal" | "too_many_wrong_tokens" | "unauthorized" | "unknown_job" | "unknown_repo" | "unknown_task" | "unknown_work_item" | "unsupported_media_type";
            /**
             * @description The next step of a program, by the code:
             *
             *     - `ask_operator`: A program cannot put this right: tell a person.
             *     - `check_name`: Nothing has the id or the name, or the token may not know it: send one that exists (`near`).
             *     - `choose_repo`: Send one of the repositories in `repos`.
             *     - `choose_task`: Send one of the task ids in `tasks`.
             *     - `claim_again`: The job is no longer yours: stop working on it, and claim another.
             *     - `continue_after_newest`: Events are missing: read the state anew, and the events after `newest`.
             *     - `fix_request`: The request is wrong, and so is a repeat: change it as `detail`, `errors` and `hint` say.
             *     - `none`: The present state does not allow it. A repeat changes nothing; read the state.
             *     - `retry_after`: Wait (`Retry-After`, or a second), then send the same again; a change with the same Idempotency-Key.
             *     - `stop_work`: The task is finished: stop working on it.
             *     - `use_new_key`: Send it with an Idempotency-Key of its own.
             *     - `use_other_token`: The token is missing, wrong or not enough: use another (`roles`).
             * @enum {string}
             */
            next_action: "ask_operator" | "check_name" | "choose_repo" | "choose_task" | "claim_again" | "continue_after_newest" | "fix_request" | "none" | "retry_after" | "stop_work" | "use_new_key" | "use_other_token";
            request_id: string;
            errors?: {
                /** @enum {string} */
                in: "body" | "query" | "path" | "header";
                /** @description JSON pointer to the invalid value. */
                pointer: string;
                detail: string;
            }[];
            /** @description The one obvious next step. */
            hint?: string;
            /** @description The repositories that have an ambiguous work item, or that look like the one that was sent. */
            repos?: string[];
            /** @description The roles that have the missing right. */
            roles?: string[];
            /** @description The ids of the unfinished tasks that have an ambiguous work item in one repository. */
            tasks?: number[];
            /** @description The ambiguous work item. */
            work_item_id?: string;
            /** @description Known repositories whose names are near the one that was sent. */
            near?: string[];
            /** @description The cycle that the dependencies would form. */
            path?: string[];
            /** @description The oldest event that is kept, if any. */
            oldest?: number | null;
            /** @description The newest event: continue after it. */
            newest?: number;
        };
        /** @description The caller: the name of its token, its role, and its limits. */
        Caller: {
            /** @description The token's name; null without tokens. */
            name: string | null;
            /** @example operator */
            role: string;
            /** @description What the role may do: `watch` (queue, explanations), `read` (tasks, jobs, events), `monitor` (metrics), `work` (claims), `produce` (tasks, jobs, cancel, retry, freeze), `operate` (pause, resume, unfreeze, release by force). */
            rights: string[];
            /** @description The repositories that it may know, as names or `prefix*`; null for all. */
            repos: string[] | null;
            /** @description The agents whose jobs it may claim; null for all. */
            agents: string[] | null;
            /** @description The service's version. */
            version: string;
        };
        /** @description A change of a task, a job or a freeze, with its time, actor and reason. */
        Event: {
            id: number;
            /**
             * Format: date-time
             * @description Time of the change.
             * @example 2026-06-15T18:06:00.000Z
             */
            at: string;
            /**
             * @description The kind of change, such as task.created, task.stage, task.paused, job.claimed or repo.frozen.
             * @example task.paused
             */
            kind: string;
            repo: string | null;
            task_id: number | null;
            work_item_id: string | null;
            job_id: number | null;
            /** @description The name of the caller's token; `serial-gate` for changes that the gate makes by itself; null without tokens, and for another program's change. */
            actor: string | null;
            /** @description How the actor is known: by its token, or only because the caller, which had no token, said so; null for no actor, for `serial-gate`, and for events of earlier versions. */
            by_source: ("token" | "claimed") | null;
            reason: string | null;
            /** @description Further members, by kind. */
            detail: unknown;
        };
        /** @description A change from before the event log began, as the orchestrator's rows tell it. It has no id and no actor. */
        RowEvent: {
            /**
             * Format: date-time
             * @description Time of the change.
             * @example 2026-06-15T18:06:00.000Z
             */
            at: string;
            /**
             * @description The kind of change, such as task.created, task.stage, task.paused, job.claimed or repo.frozen.
             * @example task.paused
             */
            kind: string;
            repo: string | null;
            task_id: number | null;
            work_item_id: string | null;
            job_id: number | null;
            reason: string | null;
            /** @description Further members, by kind. */
            detail: unknown;
            /** @enum {string} */
            source: "rows";
        };
        /** @description The oldest event that is kept, null if there is none, and the newest. */
        EventRange: {
            oldest: number | null;
            newest: number;
        };
        /** @description The actor and reason of a pause, and its end. */
        PauseNote: {
            /** @description The reason, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            reason?: string;
            /** @description The actor's name. With tokens it is the token's name, and may be left out. */
            by?: string;
            /**
             * Format: date-time
             * @description When the task resumes by itself.
             */
            until?: string;
        };
        /** @description The actor and reason of a resume, and the answer that the task waited for. */
        ResumeNote: {
            /** @description The reason, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            reason?: string;
            /** @description The actor's name. With tokens it is the token's name, and may be left out. */
            by?: string;
            /** @description A person's answer. Every claim of the task hands it out as `resumed`, until a job that was claimed with it completes. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            answer?: string;
        };
        /** @description The actor and reason of a freeze. */
        FreezeNote: {
            /** @description The reason, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            reason?: string;
            /** @description The actor's name. With tokens it is the token's name, and may be left out. */
            by?: string;
            /** @description The work item whose deploy caused it. */
            work_item_id?: string;
        };
        /** @description The state of a task's pause. */
        PauseState: {
            work_item_id: string | null;
            repo: string;
            stage: string;
            paused: boolean;
            /**
             * Format: date-time
             * @description When the task was paused.
             * @example 2026-06-15T18:06:00.000Z
             */
            paused_at: string | null;
            /** @description False if the task already was in this state. */
            changed: boolean;
            task_id: number;
            /** @description Paused, and a queued entry job of it can still be claimed: lanes are not strict. */
            still_claimable: boolean;
            /** @description False while the gate is switched off or its scope leaves the repository out: it is recorded and holds nothing. */
            in_force: boolean;
            /** @example SERIAL_GATE_REPOS does not include acme/web */
            not_in_force_because: string | null;
            effect: components["schemas"]["Effect"];
            /**
             * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
             * @enum {boolean}
             */
            dry_run?: true;
        };
        /** @description The result of pausing or resuming all tasks of a repository. */
        LanePauseState: {
            repo: string;
            paused: boolean;
            /** @description Number of tasks that were paused or resumed. */
            changed: number;
            tasks: {
                task_id: number;
                work_item_id: string | null;
                stage: string;
                /**
                 * Format: date-time
                 * @description When the task was paused.
                 * @example 2026-06-15T18:06:00.000Z
                 */
                paused_at: string | null;
            }[];
            /** @description True for a long repository: `tasks` and `effect` list the first 1,000 only, and `changed` counts all. */
            cut?: boolean;
            /** @description False while the gate is switched off or its scope leaves the repository out: it is recorded and holds nothing. */
            in_force: boolean;
            /** @example SERIAL_GATE_REPOS does not include acme/web */
            not_in_force_because: string | null;
            /** @description A task, a job or a configured project has the repository. */
            known: boolean;
            /** @description Known repositories whose names are near an unknown one. */
            near: string[];
            effect: components["schemas"]["Effect"];
            /**
             * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
             * @enum {boolean}
             */
            dry_run?: true;
        };
        /** @description A freeze of a repository. */
        Freeze: {
            freeze_id: number;
            repo: string;
            /**
             * Format: date-time
             * @description When the freeze began.
             * @example 2026-06-15T18:06:00.000Z
             */
            frozen_at: string | null;
            frozen_by: string | null;
            reason: string | null;
            /** @description The work item whose deploy caused it. */
            work_item_id: string | null;
        };
        /** @description A task that must finish first. */
        Dependency: {
            task_id: number;
            repo: string;
            work_item_id: string | null;
            stage: string;
        };
        /** @description One piece of work on a repository. */
        Task: {
            id: number;
            repo: string;
            work_item_id: string | null;
            title: string | null;
            stage: string;
            depends_on: components["schemas"]["Dependency"][];
            /**
             * Format: date-time
             * @description When the task was paused; null while it is not paused.
             * @example 2026-06-15T18:06:00.000Z
             */
            paused_at: string | null;
            paused_by: string | null;
            pause_reason: string | null;
            /**
             * Format: date-time
             * @description When the task resumes by itself.
             * @example 2026-06-15T18:06:00.000Z
             */
            pause_until: string | null;
            /**
             * Format: date-time
             * @description When the task was cancelled.
             * @example 2026-06-15T18:06:00.000Z
             */
            cancelled_at: string | null;
            /**
             * Format: date-time
             * @description When the task was created.
             * @example 2026-06-15T18:06:00.000Z
             */
            created_at: string | null;
            /**
             * Format: date-time
             * @description When the task last changed.
             * @example 2026-06-15T18:06:00.000Z
             */
            updated_at: string | null;
        };
        /** @description A task to create, by default with its entry job. */
        NewTask: {
            /** @description A repository name: letters, digits, `.`, `_`, `~`, `+` and `-`, in parts joined by `/`, with no dash at the beginning and no `.git` at the end. A repository that is known is taken as it is spelled; a name that differs from it only by case, spaces, slashes or `.git` is refused. */
            repo: string;
            /**
             * @description A work item id, such as ORCH-124: visible characters, and spaces between them; no dash at the beginning.
             * @example WEB-8
             */
            work_item_id: string;
            /** @description A title, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            title?: string;
            /**
             * @description A stage, such as development: lower-case letters, digits, `.`, `_` and `-`. A task in `done` or `cancelled` is finished. Default: "analysis".
             * @example development
             */
            stage?: string;
            /** @description Work items whose tasks must finish first, of this repository or of another. */
            depends_on?: (string | {
                /** @description A repository name, such as owner/name. */
                repo: string;
                /** @description A work item id, such as ORCH-124. */
                work_item_id: string;
            })[];
            /** @description Whether to enqueue the task's entry job. Default: true, unless `stage` is terminal. */
            entry_job?: boolean | {
                /** @description Input for the worker, any JSON. */
                payload?: unknown;
                /** @description Number of attempts before the job fails for good. */
                max_attempts?: number;
            };
        };
        /** @description The new stage, with the actor and reason. */
        StageChange: {
            /**
             * @description A stage, such as development: lower-case letters, digits, `.`, `_` and `-`. A task in `done` or `cancelled` is finished.
             * @example development
             */
            stage: string;
            /** @description With `done`: cancel every queued and delayed job of the task, not only its entry jobs. `cancelled` always does. */
            cancel_jobs?: boolean;
            /** @description The reason, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            reason?: string;
            /** @description The actor's name. With tokens it is the token's name, and may be left out. */
            by?: string;
        };
        /** @description The new stage, the new set of dependencies, or both, with the actor and reason. */
        TaskChange: {
            /**
             * @description A stage, such as development: lower-case letters, digits, `.`, `_` and `-`. A task in `done` or `cancelled` is finished.
             * @example development
             */
            stage?: string;
            /** @description With `done`: cancel every queued and delayed job of the task, not only its entry jobs. `cancelled` always does. */
            cancel_jobs?: boolean;
            /** @description The reason, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            reason?: string;
            /** @description The actor's name. With tokens it is the token's name, and may be left out. */
            by?: string;
            /** @description Work items whose tasks must finish first, of this repository or of another. */
            depends_on?: (string | {
                /** @description A repository name, such as owner/name. */
                repo: string;
                /** @description A work item id, such as ORCH-124. */
                work_item_id: string;
            })[];
        };
        /** @description A job of a task that had not started when the task finished. */
        TaskJob: {
            job_id: number;
            agent: string;
            /** @enum {string} */
            status: "queued" | "delayed" | "running" | "done" | "failed" | "cancelled";
        };
        /** @description One piece of a task's work, for one worker. */
        Job: {
            id: number;
            task_id: number | null;
            repo: string | null;
            work_item_id: string | null;
            agent: string;
            /** @enum {string} */
            status: "queued" | "delayed" | "running" | "done" | "failed" | "cancelled";
            /** @description 0 before the first claim, 1 after it. */
            attempt: number;
            max_attempts: number;
            /** @description Input for the worker, any JSON. */
            payload: unknown;
            /** @description The worker's result, any JSON. */
            result: unknown;
            error: string | null;
            /** @description How far its worker is, in the worker's own words; null unless it runs. */
            progress: string | null;
            /**
             * Format: date-time
             * @description The job does not start before this time.
             * @example 2026-06-15T18:06:00.000Z
             */
            run_after: string | null;
            /** @description The lease of the worker that runs the job; null if there is none. */
            lease: {
                worker: string | null;
                /**
                 * Format: date-time
                 * @description When the lease expires and the job returns to the queue.
                 * @example 2026-06-15T18:06:00.000Z
                 */
                expires_at: string;
            } | null;
            /**
             * Format: date-time
             * @description When the job was created.
             * @example 2026-06-15T18:06:00.000Z
             */
            created_at: string | null;
            /**
             * Format: date-time
             * @description When the job was last claimed.
             * @example 2026-06-15T18:06:00.000Z
             */
            started_at: string | null;
            /**
             * Format: date-time
             * @description When the job ended.
             * @example 2026-06-15T18:06:00.000Z
             */
            finished_at: string | null;
        };
        /** @description The right to run a job until a time. */
        Lease: {
            token: string;
            /**
             * Format: date-time
             * @description When the lease expires and the job returns to the queue, unless a heartbeat renews it.
             * @example 2026-06-15T18:06:00.000Z
             */
            expires_at: string;
        };
        /** @description A job that the caller has claimed. */
        ClaimedJob: {
            id: number;
            task_id: number | null;
            repo: string | null;
            work_item_id: string | null;
            agent: string;
            stage: string | null;
            /** @description Input for the worker, any JSON. */
            payload: unknown;
            attempt: number;
            max_attempts: number;
            lease: components["schemas"]["Lease"];
            base: {
                /** @description Other tasks of the repository finished while this one was paused, or ran beside it and finished: rebase before you use its branch. */
                stale: boolean;
                /** @description The work items of the latest 100 of those tasks. */
                overtaken_by: string[];
            };
            /** @description A person's answer to the task, which waited for it. Every claim of the task repeats it until a job that was claimed with it completes. */
            resumed: {
                answer: string;
                by: string | null;
                /**
                 * Format: date-time
                 * @description When the answer was given.
                 * @example 2026-06-15T18:06:00.000Z
                 */
                at: string;
            } | null;
        };
        /** @description A job to enqueue for a task. */
        NewJob: {
            /** @description A repository name, such as owner/name. */
            repo: string;
            /** @description A work item id, such as ORCH-124. */
            work_item_id: string;
            /**
             * @description A kind of worker, such as analyst: letters, digits, `.`, `_`, `:` and `-`.
             * @example analyst
             */
            agent: string;
            /** @description Input for the worker, any JSON. */
            payload?: unknown;
            /** @description Number of attempts before the job fails for good. */
            max_attempts?: number;
            /**
             * Format: date-time
             * @description The job does not start before this time.
             */
            run_after?: string;
        };
        /** @description The jobs to claim. An empty object claims one job of any agent, without waiting. */
        ClaimRequest: {
            /** @description The worker's name, for people. */
            worker?: string;
            agents?: string[];
            repos?: string[];
            /** @description Default: 1. */
            max?: number;
            /** @description How long to wait if no job is ready, in milliseconds. Default: 0. */
            wait_ms?: number;
            /** @description Duration of the lease, in milliseconds. */
            lease_ms?: number;
        };
        /** @description Renews a lease. */
        Heartbeat: {
            /** @description The lease token from the claim. */
            lease_token: string;
            /** @description Duration of the lease, in milliseconds. */
            lease_ms?: number;
            /** @description How far the worker is, for people; kept until the run ends or the next one. Cut at 200 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            progress?: string;
        };
        /** @description The worker says that its task waits for a person: the task is paused, and its lane is free for others. */
        WorkerPause: {
            /** @description What the task waits for, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            reason: string;
            /**
             * Format: date-time
             * @description When the task resumes by itself.
             */
            until?: string;
        };
        /** @description Completes a job, and optionally moves its task, enqueues its next jobs and claims. */
        Completion: {
            /** @description The lease token from the claim. */
            lease_token: string;
            /** @description The worker's result, any JSON. */
            result?: unknown;
            /**
             * @description A stage, such as development: lower-case letters, digits, `.`, `_` and `-`. A task in `done` or `cancelled` is finished.
             * @example development
             */
            stage?: string;
            next?: {
                /**
                 * @description A kind of worker, such as analyst: letters, digits, `.`, `_`, `:` and `-`.
                 * @example analyst
                 */
                agent: string;
                /** @description Input for the worker, any JSON. */
                payload?: unknown;
            }[];
            pause?: components["schemas"]["WorkerPause"];
            /** @description Claims next in the same transaction: `jobs` in the answer. It does not wait, so `wait_ms` must be 0 or left out. */
            claim?: components["schemas"]["ClaimRequest"];
        };
        /** @description Reports that an attempt failed. */
        Failure: {
            /** @description The lease token from the claim. */
            lease_token: string;
            /** @description The error, for people. Cut at 20,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            error: string;
            /** @description Default: true. */
            retry?: boolean;
            /** @description How long to wait before the next attempt, in milliseconds, in place of the backoff. */
            retry_after_ms?: number;
        };
        /** @description Returns a job to the queue without counting the attempt: by the lease's token, which is required then, or by force with a reason, which is required then. */
        Release: {
            /** @description The reason for taking the job from its worker, for people. Cut at 4,000 characters; U+FFFD stands for NUL and for half of a surrogate pair. */
            reason?: string;
            /** @description The actor's name. With tokens it is the token's name, and may be left out. */
            by?: string;
            /** @description The lease token from the claim. */
            lease_token?: string;
            /**
             * Format: date-time
             * @description The job is delayed: it does not start before this time.
             */
            run_after?: string;
            pause?: components["schemas"]["WorkerPause"];
        };
        /** @description A call that removes a blocker, and its effect. */
        Fix: {
            /** @example POST /unfreeze?repo=acme%2Fapi&id=3 */
            call: string;
            /** @example serial-gate unfreeze --id 3 acme/api */
            command: string;
            /** @description Null if it could not be tried. */
            effect: components["schemas"]["Effect"] | null;
        };
        /** @description The blocker itself: a task with its open jobs, a freeze, or an unreadable part of the database. */
        Blocker: {
            /** @enum {string} */
            kind: "task" | "freeze" | "unreadable";
            task: components["schemas"]["Task"] | null;
            /** @description The blocking task's open and failed jobs. */
            jobs: components["schemas"]["Job"][];
            freeze: components["schemas"]["Freeze"] | null;
        };
        /** @description One reason that holds a job, with its blocker. */
        Obstacle: {
            reason: components["schemas"]["Reason"];
            /**
             * Format: date-time
             * @description When it began to hold the job.
             * @example 2026-06-15T18:06:00.000Z
             */
            since: string | null;
            /** @description The actor who caused it, if known. */
            by: string | null;
            /** @example API-2 in acme/api is unfinished (analysis) */
            detail: string;
            blocker: components["schemas"]["Blocker"];
            fix: components["schemas"]["Fix"][];
        };
        /** @description When the job may start, estimated from the durations of the repository's last finished tasks. */
        Estimate: {
            /**
             * Format: date-time
             * @description Median: with a probability of 50 % the job starts earlier.
             * @example 2026-06-15T18:06:00.000Z
             */
            p50: string | null;
            /**
             * Format: date-time
             * @description With a probability of 90 % the job starts earlier.
             * @example 2026-06-15T18:06:00.000Z
             */
            p90: string | null;
            /** @description Why there is no estimate. */
            unavailable: string | null;
        };
        /** @description An open or failed job of the task. */
        ExplainedJob: {
            job_id: number;
            agent: string;
            /** @enum {string} */
            status: "queued" | "delayed" | "running" | "done" | "failed" | "cancelled";
            /** @description The first reason, as in `GET /queue`; null if nothing holds the job. */
            reason: components["schemas"]["Reason"] | null;
            /** @description Its place among the lane's waiting jobs; null if it is not one of them. */
            position: number | null;
            estimate: components["schemas"]["Estimate"];
            /** @description All reasons that hold the job, in the order of the rule. */
            reasons: components["schemas"]["Obstacle"][];
        };
        /** @description A place at the end of the chain: what must move before the job can start. */
        RootCause: {
            /** @description A reason that holds the job of the task, or the task's state: running, delayed, queued, failed, paused, idle, cycle. */
            reason: string;
            /** @description The task at the end of the chain. */
            task_id: number;
            work_item_id: string | null;
            repo: string;
            /** @example acme/api has been frozen since 2026-06-15 18:06 UTC by ann: "error rate 4.1 %" (after API-1) */
            detail: string;
            /**
             * Format: date-time
             * @description When it began.
             * @example 2026-06-15T18:06:00.000Z
             */
            since: string | null;
            /** @description The actor who caused it, or the worker, if known. */
            by: string | null;
            /**
             * @description `call`: an operator must call. `orchestrator`: its task needs a job or its end. `worker`: a worker has the job, or must claim it. `clock`: it ends by itself. `program`: another program runs the job without a lease. `repair`: the database cannot be read.
             * @enum {string}
             */
            ended_by: "call" | "orchestrator" | "worker" | "clock" | "program" | "repair";
        };
        /** @description The calls that end the root causes together, and their effect. */
        WayOut: {
            /**
             * @example [
             *       "POST /unfreeze?repo=acme%2Fapi&id=3"
             *     ]
             */
            calls: string[];
            /**
             * @example [
             *       "serial-gate unfreeze --id 3 acme/api"
             *     ]
             */
            commands: string[];
            /** @description When to use it, such as `that program is gone`; null: nothing else ends it. */
            condition: string | null;
            /** @description Of all the calls together. Null if they could not be tried. */
            effect: components["schemas"]["Effect"] | null;
            /**
             * @description The effect in a sentence.
             * @example Then API-2 in acme/api can start; WEB-8 still waits for API-2 in acme/api (dependency).
             */
            then: string | null;
        };
        /** @description The root cause in words: the first lines of `serial-gate explain`. */
        Root: {
            /** @description All of it in one text. */
            sentence: string;
            /** @example WEB-8 in acme/web waits for API-2 in acme/api (dependency). */
            headline: string;
            /** @description All must end before the job can start. */
            causes: components["schemas"]["RootCause"][];
            /** @description Null where no call of an operator is needed, or none helps. */
            fix: components["schemas"]["WayOut"] | null;
            /** @description Further tasks that it waits for, which move by themselves. */
            also: string[];
        };
        /** @description Why a work item waits, down to the root cause. */
        Explanation: {
            task: components["schemas"]["Task"];
            root: components["schemas"]["Root"];
            /** @description Nothing in the chain can move by itself. Of a lane, the first 10,000 tasks are looked at. */
            stuck: boolean;
            /** @description The reason, and a way out. */
            stuck_because: string | null;
            /** @description The first 50 open jobs of the task, and the last 50 that failed. */
            jobs: components["schemas"]["ExplainedJob"][];
            /** @description How many further open and failed jobs are left out; `GET /jobs` lists them. */
            unlisted_jobs?: number;
            /** @description From the work item to the root cause: each waits for the next. */
            chain: {
                work_item_id: string | null;
                repo: string;
                /** @description A reason that holds its job, or the state of the task: running, delayed, queued, failed, paused, idle. */
                reason: string;
                /** @description The blocker, such as `API-2` or `acme/api frozen since …`; or what the task's job does. */
                on: string;
            }[];
            /**
             * @description That the repository is frozen and the freeze holds nothing, and why.
             * @example acme/web is frozen (freeze 3), but the freeze is not in force: SERIAL_GATE_ENABLED is false.
             */
            not_in_force: string | null;
            degraded: boolean;
        };
        /** @description The job of the active task that is furthest on: a running one, else a ready one, a held one, a delayed one, or its last one if that failed. */
        ActiveJob: {
            job_id: number;
            agent: string;
            /** @enum {string} */
            status: "running" | "queued" | "delayed" | "failed";
            attempt: number;
            max_attempts: number;
            /** @description The name that the worker gave; null if it gave none, or if another program runs the job. */
            worker: string | null;
            /**
             * Format: date-time
             * @description A running job: its claim. A failed one: its failure. Any other: the latest of its creation, its last claim and the end of its delay.
             * @example 2026-06-15T18:06:00.000Z
             */
            since: string | null;
            /**
             * Format: date-time
             * @description A delayed job: when it is queued again.
             * @example 2026-06-15T18:06:00.000Z
             */
            run_after: string | null;
            /** @description A running job: its worker's last report. */
            progress: string | null;
            /** @description Of a failed job, or of a job that is delayed because it failed. Null for a job that was queued again. */
            error: string | null;
        };
        /** @description The task that has the lane. In strict lanes the holder; without a holder, and in other lanes, the head: the oldest task that is unfinished and not paused. */
        ActiveTask: {
            task_id: number;
            work_item_id: string | null;
            stage: string;
            /**
             * Format: date-time
             * @description When its first job started; null if none has.
             * @example 2026-06-15T18:06:00.000Z
             */
            since: string | null;
            /** @description Null if the task has no job that is unfinished, and its last one did not fail. */
            job: components["schemas"]["ActiveJob"] | null;
        };
        /** @description A job that a worker has, or that another program runs without a lease. */
        RunningJob: {
            task_id: number | null;
            work_item_id: string | null;
            job_id: number;
            agent: string;
            /** @description The name that the worker gave; null if it gave none, or if another program runs the job. */
            worker: string | null;
            /**
             * Format: date-time
             * @description When it was claimed.
             * @example 2026-06-15T18:06:00.000Z
             */
            since: string | null;
            /**
             * Format: date-time
             * @description When the lease expires, as of this answer: a heartbeat extends it and does not move the revision. Null for a job without a lease.
             * @example 2026-06-15T18:06:00.000Z
             */
            lease_expires_at: string | null;
        };
        /** @description A freeze that nobody has cleared. */
        ActiveFreeze: {
            freeze_id: number;
            /**
             * Format: date-time
             * @description When the freeze began.
             * @example 2026-06-15T18:06:00.000Z
             */
            frozen_at: string | null;
            reason: string | null;
            by: string | null;
            /** @description The work item whose deploy caused it. */
            work_item_id: string | null;
        };
        /** @description A queued entry job, or another queued job that is held. Its reason is null if a claim would hand it out now. */
        WaitingJob: {
            job_id: number;
            task_id: number | null;
            work_item_id: string | null;
            stage: string | null;
            agent: string;
            reason: components["schemas"]["Reason"] | null;
            /** @description Its place among the lane's waiting jobs, from 1, in the order of their tasks. */
            position: number;
            /**
             * Format: date-time
             * @description When the job was created.
             * @example 2026-06-15T18:06:00.000Z
             */
            since: string | null;
        };
        /** @description A paused task: later tasks may overtake it. */
        PausedTask: {
            task_id: number;
            work_item_id: string | null;
            stage: string;
            /**
             * Format: date-time
             * @description When the task was paused.
             * @example 2026-06-15T18:06:00.000Z
             */
            paused_at: string;
            paused_by: string | null;
            pause_reason: string | null;
        };
        /** @description A task that cannot proceed without a person, and why. */
        StuckTask: {
            task_id: number;
            work_item_id: string | null;
            /** @example its job 12 (developer) failed: tests are red */
            because: string;
        };
        /** @description How many entries a long list leaves out. `GET /jobs` and `GET /tasks` list all, in pages. */
        Unlisted: {
            /** @description Queued jobs behind those that are listed. */
            waiting?: number;
            /** @description Paused tasks behind those that are listed. */
            paused?: number;
            /** @description Active freezes before those that are listed. */
            freezes?: number;
        };
        /** @description The lane of a repository: its tasks run one at a time. */
        Lane: {
            active_task: components["schemas"]["ActiveTask"] | null;
            /** @description The running jobs of the repository by job id, of any of its tasks. */
            running: components["schemas"]["RunningJob"][];
            /** @description At most 10,000, in the order of the lane; then by job id. */
            waiting: components["schemas"]["WaitingJob"][];
            /** @description At most 10,000, by task id. */
            paused: components["schemas"]["PausedTask"][];
            /** @description The newest 20 active freezes, oldest first; also those that do nothing because the gate, the freeze or the repository is out of the switches' scope. */
            freezes: components["schemas"]["ActiveFreeze"][];
            /** @description Left out while every list is whole. */
            unlisted?: components["schemas"]["Unlisted"];
            frozen: boolean;
            frozen_reason: string | null;
            /**
             * Format: date-time
             * @description When the newest active freeze began.
             * @example 2026-06-15T18:06:00.000Z
             */
            frozen_at: string | null;
            /** @description Tasks that cannot proceed without a person, by task id. Tasks behind them wait as long. */
            stuck: components["schemas"]["StuckTask"][];
        };
        /** @description The whole state, as one consistent snapshot. */
        Queue: {
            /** @description Changes with every change of the shown state. */
            revision: number;
            /**
             * Format: date-time
             * @description Time of the snapshot.
             * @example 2026-06-15T18:06:00.000Z
             */
            generated_at: string;
            /** @description A part of the database was unreadable: a repository with an unknown freeze state counts as frozen. */
            degraded: boolean;
            jobs: {
                queued: number;
                delayed: number;
                running: number;
                done: number;
                failed: number;
                cancelled: number;
            };
            serial_gate: {
                enabled: boolean;
                freeze_enabled: boolean;
                pause_enabled: boolean;
                /** @description Strict lanes as applied: SERIAL_GATE_STRICT_LANES, or else true for a database that serial-gate made and false for an adopted one. */
                strict_lanes: boolean;
                /** @description SERIAL_GATE_REPOS as applied; empty for all repositories. */
                repos: string;
                per_repo: {
                    [key: string]: components["schemas"]["Lane"];
                };
            };
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listTasks: {
        parameters: {
            query?: {
                /** @description A repository name, such as owner/name. */
                repo?: string;
                /** @description A stage. */
                stage?: string;
                paused?: boolean;
                finished?: boolean;
                /** @description A work item id, such as ORCH-124. */
                work_item?: string;
                limit?: number;
                /** @description `next_cursor` of the previous page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of tasks. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        tasks: components["schemas"]["Task"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createTask: {
        parameters: {
            query?: {
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTask"];
            };
        };
        responses: {
            /** @description The existing task. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        task: components["schemas"]["Task"];
                        job: components["schemas"]["Job"] | null;
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description The new task. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        task: components["schemas"]["Task"];
                        job: components["schemas"]["Job"] | null;
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resolveTask: {
        parameters: {
            query: {
                /** @description A work item id, such as ORCH-124. */
                work_item: string;
                /** @description A repository name, such as owner/name. */
                repo?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The task. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        task: components["schemas"]["Task"];
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTask: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The task. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        task: components["schemas"]["Task"];
                        /** @description The newest 500 at most, and at most 1 MiB of them. */
                        jobs: components["schemas"]["Job"][];
                        /** @description How many older jobs are left out; `GET /jobs` lists them. */
                        unlisted_jobs?: number;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    changeTask: {
        parameters: {
            query?: {
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TaskChange"];
            };
        };
        responses: {
            /** @description The task after the change, and the effect on others. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        task: components["schemas"]["Task"];
                        effect: components["schemas"]["Effect"];
                        /** @description With new dependencies: a job of the task has begun already, so that they hold no more than its queued entry jobs. */
                        started?: boolean;
                        /** @description Jobs that were cancelled because the task finished. */
                        cancelled_jobs: components["schemas"]["TaskJob"][];
                        /** @description Queued and delayed jobs that start although the task finished. */
                        left_jobs: components["schemas"]["TaskJob"][];
                        /** @description How many further jobs are left out, where a list has its first 1,000; `GET /jobs` lists them. */
                        unlisted_jobs?: number;
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelTask: {
        parameters: {
            query?: {
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Note"];
            };
        };
        responses: {
            /** @description The task after the change, and the effect on others. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        task: components["schemas"]["Task"];
                        effect: components["schemas"]["Effect"];
                        /** @description With new dependencies: a job of the task has begun already, so that they hold no more than its queued entry jobs. */
                        started?: boolean;
                        /** @description Jobs that were cancelled because the task finished. */
                        cancelled_jobs: components["schemas"]["TaskJob"][];
                        /** @description Queued and delayed jobs that start although the task finished. */
                        left_jobs: components["schemas"]["TaskJob"][];
                        /** @description How many further jobs are left out, where a list has its first 1,000; `GET /jobs` lists them. */
                        unlisted_jobs?: number;
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listJobs: {
        parameters: {
            query?: {
                /** @description Only jobs in one of these statuses. */
                status?: ("queued" | "delayed" | "running" | "done" | "failed" | "cancelled")[];
                /** @description Only jobs of this agent. */
                agent?: string;
                /** @description Only running jobs that this worker has. */
                worker?: string;
                /** @description A repository name, such as owner/name. */
                repo?: string;
                /** @description A work item id, such as ORCH-124. */
                work_item?: string;
                limit?: number;
                /** @description `next_cursor` of the previous page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of jobs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        jobs: components["schemas"]["Job"][];
                        /** @description Null on the last page. A page that has one may hold fewer jobs than `limit`, even none. */
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createJob: {
        parameters: {
            query?: {
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewJob"];
            };
        };
        responses: {
            /** @description The new job. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        job: components["schemas"]["Job"];
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getJob: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        job: components["schemas"]["Job"];
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    claimJobs: {
        parameters: {
            query?: never;
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ClaimRequest"];
            };
        };
        responses: {
            /** @description The claimed jobs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        jobs: components["schemas"]["ClaimedJob"][];
                        /** @description A part of the database was unreadable, and the claim was decided without it. */
                        degraded: boolean;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    heartbeat: {
        parameters: {
            query?: never;
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Heartbeat"];
            };
        };
        responses: {
            /** @description The renewed lease. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        lease: components["schemas"]["Lease"];
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    completeJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Completion"];
            };
        };
        responses: {
            /** @description The completed job, its task, the next jobs, and those that were claimed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        job: components["schemas"]["Job"];
                        task: components["schemas"]["Task"] | null;
                        /** @description The jobs that were enqueued, as they were before the claim. */
                        next: components["schemas"]["Job"][];
                        /** @description Jobs that were cancelled because the task finished. */
                        cancelled_jobs: components["schemas"]["TaskJob"][];
                        /** @description Queued and delayed jobs that start although the task finished. */
                        left_jobs: components["schemas"]["TaskJob"][];
                        /** @description How many further jobs are left out, where a list has its first 1,000; `GET /jobs` lists them. */
                        unlisted_jobs?: number;
                        /** @description The jobs that were claimed; only with `claim`. */
                        jobs?: components["schemas"]["ClaimedJob"][];
                        /** @description A part of the database was unreadable, and the claim was decided without it. */
                        degraded?: boolean;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    failJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Failure"];
            };
        };
        responses: {
            /** @description The job after the change. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        job: components["schemas"]["Job"];
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    releaseJob: {
        parameters: {
            query?: {
                /** @description An operator takes the job from its worker: send `reason`, no `lease_token`. */
                force?: boolean;
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Release"];
            };
        };
        responses: {
            /** @description The job after the change, and the effect on others. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        job: components["schemas"]["Job"];
                        effect: components["schemas"]["Effect"];
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retryJob: {
        parameters: {
            query?: {
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Note"];
            };
        };
        responses: {
            /** @description The job after the change, and the effect on others. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        job: components["schemas"]["Job"];
                        effect: components["schemas"]["Effect"];
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelJob: {
        parameters: {
            query?: {
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path: {
                id: number;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Note"];
            };
        };
        responses: {
            /** @description The job after the change, and the effect on others. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        job: components["schemas"]["Job"];
                        effect: components["schemas"]["Effect"];
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pauseTask: {
        parameters: {
            query?: {
                /** @description A work item id, such as ORCH-124. */
                work_item?: string;
                /** @description A repository name, such as owner/name. */
                repo?: string;
                /** @description A task id, in the place of `work_item` and `repo`. */
                task_id?: number;
                /** @description With `repo` alone: all of its tasks. */
                all?: boolean;
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PauseNote"];
            };
        };
        responses: {
            /** @description The pause. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PauseState"] | components["schemas"]["LanePauseState"];
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resumeTask: {
        parameters: {
            query?: {
                /** @description A work item id, such as ORCH-124. */
                work_item?: string;
                /** @description A repository name, such as owner/name. */
                repo?: string;
                /** @description A task id, in the place of `work_item` and `repo`. */
                task_id?: number;
                /** @description With `repo` alone: all of its tasks. */
                all?: boolean;
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ResumeNote"];
            };
        };
        responses: {
            /** @description The pause, which has ended. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PauseState"] | components["schemas"]["LanePauseState"];
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    freezeRepo: {
        parameters: {
            query: {
                /** @description A repository name: letters, digits, `.`, `_`, `~`, `+` and `-`, in parts joined by `/`, with no dash at the beginning and no `.git` at the end. A repository that is known is taken as it is spelled; a name that differs from it only by case, spaces, slashes or `.git` is refused. */
                repo: string;
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["FreezeNote"];
            };
        };
        responses: {
            /** @description The freeze. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        repo: string;
                        frozen: boolean;
                        /**
                         * Format: date-time
                         * @description When the freeze began.
                         * @example 2026-06-15T18:06:00.000Z
                         */
                        frozen_at: string;
                        frozen_reason: string | null;
                        freeze_id: number;
                        /** @description False while the gate is switched off or its scope leaves the repository out: it is recorded and holds nothing. */
                        in_force: boolean;
                        /** @example SERIAL_GATE_REPOS does not include acme/web */
                        not_in_force_because: string | null;
                        /** @description A task, a job or a configured project has the repository. */
                        known: boolean;
                        /** @description Known repositories whose names are near an unknown one. */
                        near: string[];
                        effect: components["schemas"]["Effect"];
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    unfreezeRepo: {
        parameters: {
            query: {
                /** @description A repository name, such as owner/name. */
                repo: string;
                /** @description Clear this freeze only. */
                id?: number;
                /** @description Answer with the effect, and change nothing. */
                dry_run?: boolean;
            };
            header?: {
                /** @description A unique key for this request, such as a UUID: 1 to 200 visible ASCII characters. The same request with the same key within 24 hours (sooner forgotten, though not before two minutes, for a token that keeps more than its budget) gets the same answer, with `Idempotency-Replayed: true`, and changes nothing again. Errors are not stored, nor is a claim that found no job. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Note"];
            };
        };
        responses: {
            /** @description The cleared freezes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        repo: string;
                        /** @description True if another freeze remains. */
                        frozen: boolean;
                        /** @description Number of freezes that were cleared. */
                        cleared: number;
                        /** @description The freezes that were cleared. */
                        freezes: components["schemas"]["Freeze"][];
                        /** @description A task, a job or a configured project has the repository. */
                        known: boolean;
                        /** @description Known repositories whose names are near an unknown one. */
                        near: string[];
                        effect: components["schemas"]["Effect"];
                        /**
                         * @description Present in a dry run: nothing was changed, and ids of new rows are provisional.
                         * @enum {boolean}
                         */
                        dry_run?: true;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 1 MiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Content-Type is not application/json. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used for another request. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getQueue: {
        parameters: {
            query?: {
                /** @description Only these repositories. */
                repo?: string[];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A consistent snapshot. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
            /** @description Unchanged: `If-None-Match` has the current ETag. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    explainWorkItem: {
        parameters: {
            query?: {
                /** @description A work item id, such as ORCH-124. */
                work_item?: string;
                /** @description A repository name, such as owner/name. */
                repo?: string;
                /** @description A task id, in the place of `work_item` and `repo`. */
                task_id?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The explanation. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Explanation"];
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listEvents: {
        parameters: {
            query?: {
                /** @description An event id or a `next_cursor`: the events after it, oldest first. */
                after?: number;
                /** @description An event id: the events before it. */
                before?: number;
                /** @description This many of the newest events. Continue with `next_cursor`. */
                last?: number;
                /** @description Maximum number of events. */
                limit?: number;
                /** @description Only events of this repository; with `about`, the repository of the work item. */
                repo?: string;
                /** @description Only events of this work item. */
                work_item?: string;
                /** @description The life of this work item's task, since its creation: its own events, those of the tasks it depends on, pauses, resumes and cancellations of earlier tasks in its repository, the first claim and the end of the tasks that overtook it, and freezes of all these repositories. Not together with `work_item`. */
                about?: string;
                /** @description The life of the task with this id, in the place of `about` and `repo`. */
                about_task?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description With `about`, on the first page: the life before the event log began, oldest first. */
                        earlier?: components["schemas"]["RowEvent"][];
                        /**
                         * Format: date-time
                         * @description When the event log began; with `about`, on the first page.
                         * @example 2026-06-15T18:06:00.000Z
                         */
                        recording_began?: string;
                        /** @description Ordered by id, oldest first. */
                        events: components["schemas"]["Event"][];
                        /** @description The next `after`, also if there are no further events yet. */
                        next_cursor: number;
                    };
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The current state does not allow this. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The event log does not contain the cursor. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    followEvents: {
        parameters: {
            query?: {
                /** @description An event id or a `next_cursor`: the events after it, oldest first. */
                after?: number;
                /** @description This many of the newest events. Continue with `next_cursor`. */
                last?: number;
                /** @description Only events of this repository; with `about`, the repository of the work item. */
                repo?: string;
                /** @description Only events of this work item. */
                work_item?: string;
            };
            header?: {
                /** @description The id of the last event seen; it overrides `after` and `last`. One that is not in the log, or no id at all, gives a `reset`. */
                "last-event-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description An endless stream of events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    alive: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Alive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        status: "ok";
                    };
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ready. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        status: "ok";
                    };
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    whoAmI: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The caller. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Caller"];
                };
            };
            /** @description Invalid input. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Missing or invalid token. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token's role does not have the right, or a cross-origin request. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The address has sent too many wrong tokens. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The database does not answer, or the service is shutting down. Retry later. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
