"""A child of the tests that confines itself and then tries something."""

import errno
import json
import os
import sys
from collections.abc import Callable

from opensmtpd._runtime import sandbox
from opensmtpd._runtime.sandbox import landlock, seccomp
from opensmtpd.errors import LocalError
from opensmtpd.needs import Needs


def tried(needs: Needs | None, attempt: Callable[[], object]) -> object:
    """Return what ``attempt`` returns, plain data, in a child that was confined to ``needs``.

    The name of its errno instead where it raises OSError, and the type of another exception.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        end: object = "no end"
        try:
            sandbox.confine(needs)
            end = attempt()
        except OSError as error:
            end = errno.errorcode.get(error.errno or 0, str(error))
        except BaseException as error:
            end = f"{type(error).__name__}: {error}"
        finally:
            os.write(write, json.dumps(end).encode())
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"it ended with {status}"
    return json.loads(said)


def missing() -> list[str]:
    """Return what this machine does not offer."""
    if sys.platform != "linux":
        return ["Linux"]
    found = []
    for part in (landlock, seccomp):
        try:
            part.prepared(Needs())
        except (LocalError, OSError) as error:
            found.append(str(error))
    return found
