"""`make bench`: every benchmark beside its peer, one after the other, each in a process of its own.

`python -m benchmarks NAME …` runs only those named (`ledger`, `outbox`, …).
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run the chosen benchmarks; returns how many failed."""
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    chosen = sys.argv[1:] or known
    if unknown := sorted(set(chosen) - set(known)):
        print(f"There is no benchmark called {', '.join(unknown)}. There are: {', '.join(known)}.")
        return 1
    failed = 0
    for name in chosen:
        print(f"\n== {name}", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"benchmarks.bench_{name}"], check=False).returncode != 0
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
