"""The table of docs/reliability.md: what came of the faults that tests injected.

``python -m benchmarks.reliability FOLDER`` prints it from what pytest left in a folder when it was
given ``--count-faults FOLDER``; ``make reliability`` does both.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

INTRODUCTION = """\
# Reliability

What came of faults that the tests inject. **Recovered**: the next run ends with identical results,
of a training with the same bits. **Refused**: one line names the file and the cause, exit status 2,
and what was there before is still there. **Silently wrong** is all else, tests that fail included.
`make reliability` runs the tests and writes this page.
"""
COLUMNS = ("injected", "recovered", "refused", "silently wrong")


def table(lines: Iterable[str]) -> str:
    """The page, in Markdown, of the JSON lines that tests wrote."""
    records = [json.loads(line) for line in lines]
    counts = Counter((record["kind"], record["what"]) for record in records)
    kinds = sorted({kind for kind, _ in counts})
    rows = []
    for kind in kinds:
        injected, recovered, refused = (counts[kind, what] for what in COLUMNS[:3])
        rows.append((kind, injected, recovered, refused, injected - recovered - refused))
    rows.append(("**all**", *(sum(row[n] for row in rows) for n in range(1, 5))))
    commits = ", ".join(sorted({record["commit"] for record in records}))
    dates = ", ".join(sorted({record["date"] for record in records}))
    return "\n".join(
        [
            INTRODUCTION,
            f"Commit {commits}, {dates}.",
            "",
            "| fault | " + " | ".join(COLUMNS) + " |",
            "| --- " + "| ---: " * len(COLUMNS) + "|",
            *("| " + " | ".join(map(str, row)) + " |" for row in rows),
            "",
        ]
    )


if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).glob("*.jsonl"))
    print(table(line for file in files for line in file.read_text().splitlines()), end="")
