"""Left out: members that have a part in the rows of their ensemble, but none in its labels.

Evaluations ask all members that there are; ``merge`` compares them first, and its manifest says who
does not belong.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlipkd.jobs import artefacts


def notes_of(manifests: Iterable[Path]) -> Iterator[str]:
    """For the reader of the rows: whom ``mlipkd merge`` left out, and why.

    Raises:
        InputError: a manifest is damaged.
    """
    for path in manifests:
        artefacts.verify(path)
        manifest = json.loads(path.read_text())
        who = f"{manifest['dataset']}: {manifest['family']}/{manifest['model']}"
        for member in manifest["members"]:
            if not member["kept"]:
                yield (
                    f"{who} seed {member['seed']}: left out of what students learn "
                    f"({'; '.join(member['left_out_because'])}); the row ensemble holds it"
                )
