"""Downloads: files of the web, pinned by their hash."""

from pathlib import Path

import pooch
from requests.exceptions import RequestException

from mlipkd.errors import InputError
from mlipkd.jobs import artefacts


def fetch(url: str, sha256: str, output: Path) -> None:
    """Download a file; nothing is left of a file with another hash.

    Args:
        url: where it is, http or https.
        sha256: 64 hexadecimal digits.
        output: where it goes.

    Raises:
        InputError: it is no address of the web, cannot be had, or its hash is another.
    """
    if not url.startswith(("http://", "https://")):
        raise InputError(
            f"{output}: expected an address that starts with http:// or https://, got {url}; "
            "complete it"
        )
    with artefacts.writing(output) as temporary:
        try:
            pooch.retrieve(
                url,
                known_hash=f"sha256:{sha256}",
                fname=temporary.name,
                path=temporary.parent,
                progressbar=True,
            )
        except RequestException as error:
            raise InputError(
                f"{output}: expected {url}, got an error ({error}); check the address and the "
                "network, or download it elsewhere and put it there"
            ) from error
        except ValueError as error:  # pooch: another hash
            raise InputError(
                f"{output}: expected {url} with SHA-256 {sha256}, got another file ({error}); "
                "check address and hash: the release may have changed"
            ) from error
