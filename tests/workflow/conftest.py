"""Fixtures of the tests that run the workflow."""

from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A campaign that was never run."""
    return Workspace.make(tmp_path / "campaign")
