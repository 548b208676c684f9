"""Where the arithmetic is done, set once at the start of a process."""

import torch

from mlipkd.errors import InputError


def choose_device(name: str, threads: int) -> torch.device:
    """The device of this name, ``auto`` being CUDA where there is one; and the CPU's settings.

    Raises:
        InputError: a device that this machine does not have.
    """
    torch.set_num_threads(threads)
    # Gaussians far from their centre are subnormal numbers: zero for us, slow for the processor.
    torch.set_flush_denormal(True)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device: wanted cpu, cuda or auto, got {name!r} ({reason})") from error
    return device
