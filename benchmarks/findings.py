"""All that a run found, and the ratios that count."""

from dataclasses import dataclass, field

from benchmarks.cases import CASES
from benchmarks.compare import Row
from benchmarks.limits import Machine
from benchmarks.memory import Usage
from benchmarks.packed import SMALL, Packed
from benchmarks.profile import Share
from benchmarks.timing import Times

#: Ratios asked for, but for those of the cases. That of a step of dynamics is one at most.
BARS = {
    "packed8_student_vs_separate": 2,
    "al_memory_per_atom": 50,
    "chno_memory_per_atom": 8,
    "md_step_over_force_call": 1.15,
    "gpu_inference": 5,
    "gpu_train": 4,
    "gpu_memory_per_atom": 20,
    "gpu_packed8": 4,
}
AT_MOST = {"md_step_over_force_call"}
#: Which memory, dynamics and rows of a GPU stand for the keys above.
AL_MEMORY, CHNO_MEMORY = "al_teacher_inference_18634", "chno_inference_128"
DYNAMICS = "al_student_inference_18634"
GPU = {"gpu_inference": "al_teacher_inference_18634", "gpu_train": "al_teacher_train"}
PACKED = 8


@dataclass(frozen=True)
class Memory:
    """Peak memory of a case; None where it was not to be had."""

    key: str
    device: str
    atoms: int
    ours: Usage | None
    hippynn: Usage | None

    @property
    def ratio(self) -> float | None:
        """hippynn as installed / ours."""
        return self.hippynn.bytes / self.ours.bytes if self.hippynn and self.ours else None


@dataclass(frozen=True)
class Installed:
    """hippynn as installed, and ours beside it."""

    key: str
    hippynn: Times
    ours: Times
    kernel: str

    @property
    def ratio(self) -> float:
        """hippynn as installed / ours."""
        return self.hippynn.median / self.ours.median


@dataclass(frozen=True)
class Dynamics:
    """Seconds of a step and of a force call."""

    key: str
    device: str
    step: float
    call: float


@dataclass
class Findings:
    """What was found."""

    machines: dict[str, Machine] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    installed: list[Installed] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    dynamics: list[Dynamics] = field(default_factory=list)
    packed: list[Packed] = field(default_factory=list)
    profiles: dict[str, list[Share]] = field(default_factory=dict)

    def ratios(self) -> dict[str, float | None]:
        """Every ratio by its key: hippynn / ours, unless the key says otherwise."""
        found: dict[str, float | None] = {key: None for key, case in CASES.items() if case.bar}
        found |= dict.fromkeys(BARS)
        for row in self.rows:
            found[row.key if row.device == "cpu" else f"gpu_{row.key}"] = row.ratio
        for name, key in GPU.items():
            found[name] = found.get(f"gpu_{key}")
        memory = {(one.key, one.device): one.ratio for one in self.memory}
        found["al_memory_per_atom"] = memory.get((AL_MEMORY, "cpu"))
        found["chno_memory_per_atom"] = memory.get((CHNO_MEMORY, "cpu"))
        found["gpu_memory_per_atom"] = memory.get((AL_MEMORY, "cuda"))
        for run in self.dynamics:
            if (run.key, run.device) == (DYNAMICS, "cpu"):
                found["md_step_over_force_call"] = run.step / run.call
        for pack in self.packed:
            if pack.members == PACKED:
                name = "packed8_student_vs_separate" if pack.device == "cpu" else "gpu_packed8"
                found[name if pack.boxes == SMALL else f"{name}_{pack.atoms}"] = pack.ratio
        for both in self.installed:
            found[f"{both.key}_as_installed"] = both.ratio
        return found

    def notes(self) -> dict[str, str]:
        """Why a ratio is missing."""
        notes = {}
        for key, ratio in self.ratios().items():
            if ratio is not None:
                continue
            if key.startswith("gpu_") and "cuda" not in self.machines:
                notes[key] = "no GPU at hand"
            else:
                notes[key] = "not available"
        return notes

    def bar(self, key: str) -> float | None:
        """What is asked for of a ratio."""
        name = key.removeprefix("gpu_")
        if name in CASES:
            return CASES[name].gpu_bar if key.startswith("gpu_") else CASES[name].bar
        return BARS.get(key)

    def missed(self, key: str) -> bool:
        """Whether a ratio is known and not what was asked for."""
        ratio, bar = self.ratios().get(key), self.bar(key)
        if ratio is None or bar is None:
            return False
        return ratio > bar if key in AT_MOST else ratio < bar
