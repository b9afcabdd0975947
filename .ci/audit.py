"""Known vulnerabilities in what we lock, by pip-audit; what the network does not answer for is named, not passed over.

    .venv/bin/python .ci/audit.py requirements.txt

Exit code 1 when there is one.
"""

import json
import subprocess
import sys


def main(requirements: str) -> int:
    """Audit one requirements file; returns the exit code."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        requirements,
        "--require-hashes",
        "--disable-pip",
    ]
    command += ["--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"pip-audit: skipped ({(done.stderr.strip().splitlines() or ['it says nothing'])[-1]})")
        return 0
    audited = [package for package in packages if "vulns" in package]
    for package in audited:
        for found in package["vulns"]:
            mend = ", ".join(found["fix_versions"]) or "none yet"
            print(f"pip-audit: {package['name']} {package['version']}: {found['id']}, mended in {mend}")
    if not audited:
        print("pip-audit: skipped, the network does not answer")
    elif len(audited) < len(packages):
        print(f"pip-audit: {len(packages) - len(audited)} of {len(packages)} packages could not be looked up")
    return int(any(package["vulns"] for package in audited))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
