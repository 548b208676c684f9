"""The results of a run, and the ratios that count."""

from dataclasses import dataclass, field

from benchmarks.cases import CASES
from benchmarks.compare import FEW_BOXES, Dynamics, Packed, Row, Share
from benchmarks.limits import Machine
from benchmarks.memory import Usage
from benchmarks.timing import Times

#: Ratios to be reached, but for those of the cases. That of a step of dynamics is one at most.
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
DYNAMICS_CASE = "al_student_inference_18634"
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
    """Times of hippynn as installed, and of ours in turns with it."""

    key: str
    hippynn: Times
    ours: Times
    kernel: str

    @property
    def ratio(self) -> float:
        """hippynn as installed / ours."""
        return self.hippynn.median / self.ours.median


@dataclass
class Results:
    """All measurements of a run."""

    machines: dict[str, Machine] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    installed: list[Installed] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    dynamics: list[Dynamics] = field(default_factory=list)
    packed: list[Packed] = field(default_factory=list)
    profiles: dict[str, list[Share]] = field(default_factory=dict)

    def ratios(self) -> dict[str, float | None]:
        """Every ratio by its key: hippynn / ours, unless the key says otherwise."""
        ratios: dict[str, float | None] = {key: None for key, case in CASES.items() if case.bar}
        ratios |= dict.fromkeys(BARS)
        for row in self.rows:
            ratios[row.key if row.device == "cpu" else f"gpu_{row.key}"] = row.ratio
        for name, key in GPU.items():
            ratios[name] = ratios.get(f"gpu_{key}")
        memory = {(usage.key, usage.device): usage.ratio for usage in self.memory}
        ratios["al_memory_per_atom"] = memory.get((AL_MEMORY, "cpu"))
        ratios["chno_memory_per_atom"] = memory.get((CHNO_MEMORY, "cpu"))
        ratios["gpu_memory_per_atom"] = memory.get((AL_MEMORY, "cuda"))
        for dynamics in self.dynamics:
            if (dynamics.key, dynamics.device) == (DYNAMICS_CASE, "cpu"):
                ratios["md_step_over_force_call"] = dynamics.step / dynamics.call
        for run in self.packed:
            if run.members == PACKED:
                name = "packed8_student_vs_separate" if run.device == "cpu" else "gpu_packed8"
                ratios[name if run.boxes == FEW_BOXES else f"{name}_{run.atoms}"] = run.ratio
        for pair in self.installed:
            ratios[f"{pair.key}_as_installed"] = pair.ratio
        return ratios

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
        """What a ratio is to reach."""
        name = key.removeprefix("gpu_")
        if name in CASES:
            return CASES[name].gpu_bar if key.startswith("gpu_") else CASES[name].bar
        return BARS.get(key)

    def missed(self, key: str) -> bool:
        """Whether a ratio is known and does not reach its bar."""
        ratio, bar = self.ratios().get(key), self.bar(key)
        if ratio is None or bar is None:
            return False
        return ratio > bar if key in AT_MOST else ratio < bar
