"""Compile requirements/*.txt from pyproject.toml: exact versions with hashes, and no download addresses."""

from __future__ import annotations

import subprocess

SETS = {
    "demo": ["ml", "demo"],
    "dev": [
        *("ml", "demo", "dev", "postgres", "skops", "xgboost", "lightgbm", "river", "mlflow", "arrow", "grpc", "otel", "oidc"),
        "audit",
    ],
}


def main() -> None:
    for name, extras in SETS.items():
        command = ["uv", "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", "3.11"]
        command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        for extra in extras:
            command += ["--extra", extra]
        subprocess.run([*command, "--output-file", f"requirements/{name}.txt"], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
