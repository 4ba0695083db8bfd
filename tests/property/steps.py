"""The part that models of a loop share."""

from typing import Any

from opensmtpd._protocol.jobs import Job
from opensmtpd._runtime.loop import Served


def go_on(protocol: Served, jobs: list[Job], job: Any) -> None:
    """Let a job go one step further; at its end, take it from ``jobs`` and tell the dispatcher."""
    try:
        if not callable(job.task):
            job.task.send(None)
            return
        result = job.task()
    except StopIteration as end:
        result = end.value
    except BaseException as error:
        jobs.remove(job)
        protocol.dispatcher.fail(job, error)
        return
    jobs.remove(job)
    protocol.dispatcher.resolve(job, result)
