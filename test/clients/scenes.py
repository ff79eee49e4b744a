"""Scenes of the tests, each with a worker of its own. Prints JSON lines. Arguments: the folder of the client, the scene."""

import json
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])
from serial_gate import Gate, Problem, Release, RetryLater, work  # noqa: E402

stop = threading.Event()


def tell(**what):
    print(json.dumps(what), flush=True)


def until_gone(job, run):
    """Works until the job is taken away."""
    run.progress("half way")
    tell(claimed=job["id"])
    run.gone.wait(20)
    tell(gone=run.gone.is_set(), why=getattr(run.why, "code", None))
    stop.set()


def several_endings(job, run):
    tell(item=job["work_item_id"], attempt=job["attempt"], resumed=(job["resumed"] or {}).get("answer"))
    name = job["work_item_id"]
    if name == "FAIL" and job["attempt"] == 1:
        raise RetryLater("the tests are red \ud83d", 0.1)
    if name == "ASK" and job["resumed"] is None:
        return Release(pause={"reason": "blue or green?"})
    if name == "LAST":
        stop.set()
    return {"stage": "done"}


def slow(job, run):
    """Outlasts three leases."""
    time.sleep(3.5)
    stop.set()
    return {"stage": "done"}


scenes = {"until-gone": until_gone, "several-endings": several_endings, "slow": slow}
work(
    Gate(),
    scenes[sys.argv[2]],
    stop=stop,
    lease_ms=1_000,
    wait_ms=1_000,
    name="py",
    trouble=lambda error: tell(trouble=getattr(error, "code", type(error).__name__)),
)
tell(ended=True)
