"""Compile requirements/*.txt of the peers anew from their *.in: exact versions with hashes, no addresses. Needs uv.

`python -m benchmarks.serving.lock [NAME…]`
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.serving.environments import REQUIREMENTS


def main() -> None:
    for name in sys.argv[1:] or sorted(path.stem for path in REQUIREMENTS.glob("*.in")):
        command = ["uv", "pip", "compile", str(REQUIREMENTS / f"{name}.in"), "--quiet", "--universal", "--python-version", "3.11"]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        output = str(REQUIREMENTS / f"{name}.txt")
        subprocess.run([*command, "--output-file", output], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
