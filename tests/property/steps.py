"""What models of a runner have in common."""

from typing import Any

from opensmtpd.runner import Served
from opensmtpd.work import Job


def go_on(protocol: Served, jobs: list[Job], job: Any) -> None:
    """Let a work go one step further, and tell of its end; it is none of ``works`` then."""
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
