"""A worker of the tests: takes work items through their stages, by their size. Arguments: the agents, with commas."""

import sys

sys.path.insert(0, sys.argv[1])
from serial_gate import Gate, work  # noqa: E402

STEPS = [
    ("analyst", "analysis", lambda size: True),
    ("developer", "development", lambda size: True),
    ("reviewer", "review", lambda size: size["lines"] >= 10),
    ("tester", "testing", lambda size: size["lines"] >= 50),
    ("deployer", "deploy", lambda size: size["files"] >= 5),
]


def handle(job, run):
    size = job["payload"]
    at = [agent for agent, _, _ in STEPS].index(job["agent"])
    for agent, stage, needed in STEPS[at + 1 :]:
        if needed(size):
            return {"stage": stage, "next": [{"agent": agent, "payload": size}]}
    return {"stage": "done", "result": {"ok": True}}


work(Gate(), handle, agents=sys.argv[2].split(","), wait_ms=2_000)
