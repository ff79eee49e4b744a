"""serial-gate for Python: a client and a worker in one file, with the standard library alone. Copy it.

    from serial_gate import Gate, Release, work

    def handle(job, run):
        run.progress("cloning")
        if job["base"]["stale"]:
            rebase()
        return {"result": {"plan": "ok"}, "stage": "development", "next": [{"agent": "developer"}]}

    work(Gate("http://127.0.0.1:8080"), handle, agents=["analyst"])

Python 3.9 or later. The HTTP API is described at /docs of the service.
"""

import json
import os
import random
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

__all__ = ["Gate", "Problem", "Unanswered", "Release", "RetryLater", "Run", "work"]

# Seconds between two attempts to reach the service: doubling from the first to the longest, with jitter.
FIRST_DELAY, LONGEST_DELAY = 0.2, 15.0

# The job is no longer this worker's: its lease is lost, its task is finished, or it is gone.
GONE = {"lease_lost", "task_cancelled", "task_terminal", "unknown_job"}


class Problem(Exception):
    """A refusal by the service (RFC 9457). `code` is for programs, the text is for people."""

    def __init__(self, status, body):
        super().__init__(body.get("detail") or f"HTTP {status}")
        self.status = status
        self.code = body.get("code", "")
        self.hint = body.get("hint")
        self.body = body


class Unanswered(Exception):
    """No answer, or a fault of the service that may pass. Repeat the call with the same key."""

    def __init__(self, message, retry_after=None):
        super().__init__(message)
        self.retry_after = retry_after


def _delay(failures):
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures, 10))
    return longest * (0.5 + random.random() / 2)


class Gate:
    """The service. Every method returns the JSON of the answer and raises Problem or Unanswered."""

    def __init__(self, url=None, token=None, timeout=30.0):
        """Takes the address and the token together: both from the arguments, or both from SERIAL_GATE_URL and
        SERIAL_GATE_TOKEN, so that a token goes only to the address that it was given with."""
        if url is None:
            url = os.environ.get("SERIAL_GATE_URL", "http://127.0.0.1:8080")
            token = token or os.environ.get("SERIAL_GATE_TOKEN") or None
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._token = token

    def call(self, method, path, body=None, key=None, timeout=None, **query):
        """Sends one request. Members and parameters that are None are left out.

        key: repeats of a change under one key happen once, and get the same answer.
        timeout: seconds until the call counts as unanswered."""
        query = {name: value for name, value in query.items() if value is not None}
        url = self.url + path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with _OPENER.open(request, timeout=timeout or self.timeout) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise Unanswered(f"{method} {path}: {getattr(error, 'reason', error)}") from None

    # Producers and operators.

    def create_task(self, repo, work_item_id, title=None, depends_on=None, entry_job=None, key=None):
        """Creates a task; the same repository and work item again gives the task that stands."""
        body = {"repo": repo, "work_item_id": work_item_id, "title": title, "depends_on": depends_on, "entry_job": entry_job}
        return self.call("POST", "/tasks", body, key)

    def pause(self, work_item, repo=None, reason=None, until=None):
        """Pauses a task, so that later tasks of its repository may start."""
        return self.call("POST", "/serial-gate/pause", {"reason": reason, "until": until}, work_item=work_item, repo=repo)

    def resume(self, work_item, repo=None, answer=None):
        """Resumes a task. `answer` is handed to its next claimed job."""
        return self.call("POST", "/serial-gate/resume", {"answer": answer}, work_item=work_item, repo=repo)

    def explain(self, work_item, repo=None):
        """Says why a work item waits, and what would free it."""
        return self.call("GET", "/queue/explain", work_item=work_item, repo=repo)

    def queue(self, *repos):
        """Reads the state of these repositories, or of all."""
        return self.call("GET", "/queue", repo=repos or None)

    # Workers. `job` is a claimed job, as `claim` returns it.

    def claim(self, agents=None, repos=None, worker=None, max=1, wait_ms=0, lease_ms=None, key=None):
        """Claims the oldest ready jobs, and waits up to `wait_ms` milliseconds for one."""
        body = {"agents": agents, "repos": repos, "worker": worker, "max": max, "wait_ms": wait_ms, "lease_ms": lease_ms}
        return self.call("POST", "/jobs/claim", body, key, timeout=self.timeout + wait_ms / 1000)

    def heartbeat(self, job, progress=None, lease_ms=None, timeout=None):
        """Renews the lease, and tells people how far the worker is."""
        return self._report(job, "heartbeat", {"progress": progress, "lease_ms": lease_ms}, timeout=timeout)

    def complete(self, job, result=None, stage=None, next=None, pause=None, claim=None, key=None):
        """Completes the job, moves or pauses its task, enqueues the next jobs and claims, in one transaction."""
        body = {"result": result, "stage": stage, "next": next, "pause": pause, "claim": claim}
        return self._report(job, "complete", body, key)

    def fail(self, job, error, retry=True, retry_after_ms=None, key=None):
        """Reports a failure. The job is retried with backoff while it has attempts left."""
        return self._report(job, "fail", {"error": str(error), "retry": retry, "retry_after_ms": retry_after_ms}, key)

    def release(self, job, run_after=None, pause=None, key=None):
        """Gives the job back without counting an attempt: delayed until `run_after`, its task paused with `pause`."""
        return self._report(job, "release", {"run_after": run_after, "pause": pause}, key)

    def _report(self, job, verb, body, key=None, timeout=None):
        body = {"lease_token": job["lease"]["token"], **body}
        return self.call("POST", f"/jobs/{job['id']}/{verb}", body, key, timeout)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could carry the token elsewhere."""

    def redirect_request(self, *_):
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _refusal(error):
    text = error.read()
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    if error.code >= 500 or error.code == 429:
        retry_after = error.headers.get("Retry-After", "")
        return Unanswered(body.get("detail") or f"HTTP {error.code}", float(retry_after) if retry_after.isdigit() else None)
    return Problem(error.code, body if isinstance(body, dict) else {})


class Release:
    """Returned by a handler that cannot go on now: see Gate.release."""

    def __init__(self, run_after=None, pause=None):
        self.when = {"run_after": run_after, "pause": pause}


class RetryLater(Exception):
    """Raised by a handler that failed: the next attempt comes after so many seconds."""

    def __init__(self, message, seconds):
        super().__init__(message)
        self.seconds = seconds


class Run:
    """A job while its handler runs. A thread renews its lease every third of its length."""

    def __init__(self, gate, job, lease_ms):
        self.gone = threading.Event()
        """Set when the job is no longer this worker's: stop at once, and return anything."""
        self.why = None
        """Why it is gone: a Problem or an Unanswered."""
        self._gate, self._job, self._lease_ms = gate, job, lease_ms
        self._progress = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_lease, daemon=True)
        self._thread.start()

    def progress(self, text):
        """Tells people how far the handler is, with the next heartbeat."""
        self._progress = str(text)

    def end(self):
        """Stops renewing the lease."""
        self._over.set()
        self._thread.join()

    def _keep_lease(self):
        third = self._lease_ms / 3000
        expires = time.monotonic() + self._lease_ms / 1000
        while not self._over.wait(third):
            sent = time.monotonic()
            try:
                self._gate.heartbeat(self._job, self._progress, self._lease_ms, timeout=third)
                expires = sent + self._lease_ms / 1000
            except (Problem, Unanswered) as error:
                # Once the lease has expired, another worker may have the job: two must not work on it at once.
                if getattr(error, "code", "") in GONE or time.monotonic() + third >= expires:
                    self.why = error
                    self.gone.set()
                    return


def work(gate, handle, agents=None, repos=None, name=None, lease_ms=60_000, wait_ms=30_000, stop=None, trouble=print):
    """Claims one job after another and hands each to `handle(job, run)`, until `stop` (a threading.Event) is set.

    The handler returns what completes the job (a dict of result, stage, next, pause, or None), or a Release; an
    exception fails the job. `run.gone` is set when the job is no longer ours, and nothing is reported then. Failures of
    the network and the service are outlived: `trouble` is told of each. A job whose end could not be reported returns
    to the queue when its lease expires, so a handler may see a job twice."""
    stop = stop or threading.Event()
    name = name or f"{socket.gethostname()}-{os.getpid()}"
    request = {"agents": agents, "repos": repos, "worker": name, "lease_ms": lease_ms}
    request = {member: value for member, value in request.items() if value is not None}

    def insist(call, give_up):
        """Repeats a call under one key until it is answered, or `give_up()` says that it no longer matters."""
        key, failures = str(uuid.uuid4()), 0
        while True:
            try:
                return call(key)
            except Unanswered as error:
                if give_up():
                    raise
                trouble(error)
                stop.wait(min(error.retry_after or 0, LONGEST_DELAY)) if error.retry_after else time.sleep(_delay(failures))
                failures += 1

    def claim():
        started = time.monotonic()
        # Leases of a claim that is repeated for too long may have expired.
        late = lambda: stop.is_set() or time.monotonic() - started > lease_ms / 2000
        return insist(lambda key: gate.claim(wait_ms=wait_ms, key=key, **request), late)["jobs"]

    def report(job, run, outcome):
        """Ends the job; returns the jobs that were claimed with its completion."""
        gone = run.gone.is_set
        if isinstance(outcome, Release):
            insist(lambda key: gate.release(job, key=key, **outcome.when), gone)
            return []
        following = None if stop.is_set() else request
        sent = time.monotonic()
        completed = insist(lambda key: gate.complete(job, claim=following, key=key, **(outcome or {})), gone)
        jobs = completed.get("jobs") or []
        if time.monotonic() - sent <= lease_ms / 2000:
            return jobs
        for late in jobs:  # A repeated answer: their leases may have expired.
            gate.release(late)
        return []

    def run_one(job):
        run = Run(gate, job, lease_ms)
        try:
            try:
                outcome = handle(job, run)
                json.dumps(getattr(outcome, "when", outcome))  # What is no JSON fails the job, not every repeat of the report.
            except Exception as error:
                if run.gone.is_set():
                    raise run.why from error
                trouble(error)
                later = int(error.seconds * 1000) if isinstance(error, RetryLater) else None
                text = str(error) or type(error).__name__
                insist(lambda key: gate.fail(job, text, retry_after_ms=later, key=key), run.gone.is_set)
                return []
            if run.gone.is_set():
                raise run.why
            return report(job, run, outcome)
        except (Problem, Unanswered) as error:
            trouble(error)
            if getattr(error, "code", "") in {"task_cancelled", "task_terminal"}:
                try:
                    gate.release(job)  # Ends the job of a finished task.
                except (Problem, Unanswered) as late:
                    trouble(late)
            return []
        finally:
            run.end()

    failures = 0
    while not stop.is_set():
        try:
            jobs = claim()
            failures = 0
            while jobs:
                job = jobs.pop(0)
                jobs += run_one(job) if not stop.is_set() else (gate.release(job) and [])
        except (Problem, Unanswered) as error:
            if stop.is_set():
                return
            trouble(error)
            stop.wait(_delay(failures))
            failures += 1
