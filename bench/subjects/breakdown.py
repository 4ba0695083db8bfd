"""Where the CPU of a signed message of 2 KB goes: kernel and Python, first process and workers.

The kernel counts the time of each process in itself and for it. The first process's own part is
divided by samples, which a program like filter-dkimsign takes of itself (``sampled_dkimsign``), and
the signature alone is measured by signing the same digest again and again.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from bench import programs
from bench.child import Child, behind, nofile, times
from bench.contestants import Contestants, contestants, parser
from bench.driver import Load, as_smtpd, message
from bench.records import OURS, Figure, finish
from bench.subjects.signing import KEY, new_key

SIZE, SESSIONS, TOTAL = 2_000, 16, 8_000
SIGN = """
import sys, time
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, utils
key = serialization.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
def sign(count):
    begun = time.process_time()
    for _ in range(count):
        key.sign(bytes(32), padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    return (time.process_time() - begun) / count * 1e6
sign(200)
print(sign(2000))
"""


def signature_us(root: Contestants) -> float:
    """Return the microseconds of CPU of an RSA signature, made in one process again and again."""
    command = root.python("-c", SIGN, str(root.folder / KEY))
    return float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def sampled(root: Contestants, flags: tuple[str, ...]) -> tuple[dict[str, float], dict[str, int]]:
    """Return the microseconds of each process and mode for a message, and the samples."""
    program = f"{root.folder}/sampled_dkimsign.py"
    with tempfile.TemporaryFile() as said:
        child = Child(root.python(program, *flags), errors=said.fileno())
        # What is done once, the start of workers included, has been done then.
        Load(child, message(SIZE), SESSIONS, SESSIONS, as_smtpd(SIZE)).drive()
        pids = [child.process.pid, *behind(child.process.pid)]
        begun = [times(pid) for pid in pids]
        load = Load(child, message(SIZE), TOTAL, SESSIONS, as_smtpd(SIZE))
        load.drive()
        ended = [times(pid) for pid in pids]
        child.close()
        said.seek(0)
        samples: dict[str, int] = json.loads(said.read().splitlines()[-1])
    spent = [
        [(after - before) / TOTAL * 1e6 for before, after in zip(old, new, strict=True)]
        for old, new in zip(begun, ended, strict=True)
    ]
    (front, front_kernel), *workers = spent
    return {
        "front": front,
        "front_kernel": front_kernel,
        "workers": sum(own for own, _ in workers),
        "workers_kernel": sum(kernel for _, kernel in workers),
    }, samples


def figures(root: Contestants, rounds: int) -> Iterator[Figure]:
    """Measure some rounds."""
    flags = new_key(root)
    shutil.copy(programs.FOLDER / "sampled_dkimsign.py", root.folder)
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for _ in range(rounds):
        spent, samples = sampled(root, flags)
        all_samples, signature = sum(samples.values()), signature_us(root)
        add("first process: kernel", spent["front_kernel"])
        for part in sorted(samples):
            add(f"first process: {part}", spent["front"] * samples[part] / all_samples)
        add("workers: the RSA signature", signature)
        add("workers: frames, calls, the rest", spent["workers"] - signature)
        add("workers: kernel", spent["workers_kernel"])
        add("all", sum(spent.values()))
    for name, values in found.items():
        yield Figure("CPU of a message of 2 KB", "µs", name, "less", {OURS: values})


def main() -> int:
    """Measure; returns the exit status."""
    chosen = parser("Where the CPU of a signed message goes.", rounds=3).parse_args()
    nofile()
    with contestants("breakdown", chosen.ours) as root:
        return finish("breakdown", figures(root, chosen.rounds))


if __name__ == "__main__":
    sys.exit(main())
