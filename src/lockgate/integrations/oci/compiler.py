"""Compiles sources to bytecode: run as a program of its own, with nothing but Python's own library.

Standard input: a JSON list of [path, name]. Standard output: for each, the length of its `.pyc` in four bytes and the `.pyc`; a
length of 0 where the source is none of this Python's. `name` is what its code calls the file until an import corrects it.

Source: PEP 552. The hash is not checked at an import. The code is written in version 2 of `marshal`: later versions say which
objects are shared, which depends on what else the process holds, so two processes would write different bytes.
"""

import importlib.util
import json
import marshal
import sys
import warnings
from pathlib import Path

_UNCHECKED_HASH = (1).to_bytes(4, "little")
_WITHOUT_SHARING = 2


def main() -> None:
    warnings.simplefilter("ignore")
    for path, name in json.load(sys.stdin):
        content = _compiled(Path(path).read_bytes(), name)
        sys.stdout.buffer.write(len(content).to_bytes(4, "little") + content)


def _compiled(source: bytes, name: str) -> bytes:
    try:
        code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError):  # templates, and tests of what cannot be read
        return b""
    checked = importlib.util.source_hash(source)
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + checked + marshal.dumps(code, _WITHOUT_SHARING)


if __name__ == "__main__":
    main()
