"""No memory, at any line of chosen modules that takes some."""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

MAKE = (ast.Slice, ast.JoinedStr, ast.ListComp, ast.List, ast.Dict, ast.Lambda)
ADD = {"add", "append", "decode", "encode", "join", "partition", "replace", "setdefault", "split"}


def takes_memory(node: ast.expr) -> bool:
    """Return whether an expression makes an object, or has another one grow."""
    if isinstance(node, ast.BinOp):
        return not (isinstance(node.right, ast.Constant) and isinstance(node.right.value, int))
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        return name in ADD or name[0].isupper()
    return isinstance(node, MAKE) and bool(ast.unparse(node).strip("()[]{}"))


@cache
def places(file: str, folders: tuple[str, ...]) -> frozenset[int]:
    """Return the lines of a module in one of the folders that take memory; none of others."""
    if not file.startswith(folders):
        return frozenset()
    found = set[int]()
    for node in ast.walk(ast.parse(Path(file).read_text())):
        if isinstance(node, ast.expr) and takes_memory(node):
            found.add(node.lineno)
    return frozenset(found)


def strike(number: int, *folders: str) -> list[str]:
    """Raise MemoryError once, at a line by its number in the order of their turns, from now on.

    Returns a list that holds the line, or nothing as long as so many were not reached.
    """
    left, struck = [number], list[str]()
    here: tuple[FrameType, int] | None = None

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        lines = places(frame.f_code.co_filename, folders)
        if not lines:
            return None
        nonlocal here
        last, here = here, (frame, frame.f_lineno)
        # Python 3.13 comes to the line of a comprehension with each element, and forgets what is
        # raised there. No line of the engine is a loop by itself but those.
        if event == "line" and not struck and frame.f_lineno in lines and here != last:
            left[0] -= 1
            if left[0] < 0:
                name = Path(frame.f_code.co_filename).name
                struck.append(f"{name}:{frame.f_lineno} {frame.f_code.co_name}")
                raise MemoryError
        return trace

    sys.settrace(trace)
    frame = sys._getframe(1)
    while frame is not None:  # those that run already, the loop's above all
        frame.f_trace = trace
        frame = frame.f_back  # type: ignore[assignment]
    return struck


@contextmanager
def failing_at(number: int, *folders: str) -> Iterator[list[str]]:
    """Strike inside the block only."""
    before = sys.gettrace()
    try:
        yield strike(number, *folders)
    finally:
        sys.settrace(before)
