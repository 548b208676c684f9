"""Where a process runs and what it finds there."""

import os
import platform
import sys

from mlipkd import provenance

#: What stands for nothing.
NONE = "none"
SEEN = "GPUs that PyTorch sees"


def whereabouts() -> str:
    """Host, SLURM job, GPUs, Python, and which mlipkd: one a line."""
    import torch  # seconds, which asking about the answer does not need

    own = provenance.record()
    seen = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    facts = {
        "host": platform.node(),
        "folder": os.getcwd(),
        "SLURM job": os.environ.get("SLURM_JOB_ID", NONE),
        "GPUs given": os.environ.get("CUDA_VISIBLE_DEVICES") or NONE,
        SEEN: ", ".join(seen) or NONE,
        "PyTorch": torch.__version__,
        "Python": f"{own['python']}, {sys.executable}",
        "mlipkd": f"{own['mlipkd']}, commit {own['commit']}",
    }
    return "".join(f"{name}: {fact}\n" for name, fact in facts.items())


def sees_gpus(said: str) -> bool:
    """Whether PyTorch saw a GPU where this was said."""
    return f"{SEEN}: {NONE}\n" not in said
