"""Tables as CSV: a line of names, then one line for each row. What a cell's text means is its column's to say."""

from __future__ import annotations

import csv
from collections import Counter
from io import StringIO

from lockgate.kernel.errors import Fault
from lockgate.serving.protocol.requests import TableRequest, refused

TYPE = "text/csv"


def parse(body: bytes) -> TableRequest:
    """Raises InvalidInput if it is not UTF-8, no CSV, or a line has more or fewer cells than the first."""
    try:
        reader = csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        names = next(reader, [])
        rows = [row for row in reader if row]
    except UnicodeDecodeError as error:
        raise refused([Fault("", f"this is not UTF-8: byte {error.start}")]) from error
    except csv.Error as error:
        raise refused([Fault(f"line {reader.line_num}", str(error))]) from error
    faults = [Fault(name[:80], "this column is named twice") for name, times in Counter(names).items() if times > 1]
    faults += (
        Fault(f"row {index}", f"{len(row)} cells found, {len(names)} expected")
        for index, row in enumerate(rows)
        if len(row) != len(names)
    )
    if faults or not names:
        raise refused(faults or [Fault("", "expected a line of column names, found nothing")])
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    return TableRequest(columns=dict(zip(names, cells, strict=True)), rows=len(rows), text=True)
