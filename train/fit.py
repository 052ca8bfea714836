"""The training loop of every objective; it knows nothing about captions or backbones.

The objective is an `nn.Module` whose ``forward(batch)`` returns a dict of scalars with a ``"loss"``.
Batches come from a pure function of the step and every step seeds the random generators anew, so a
killed run that is started again continues with the very same losses.
"""

import json
import math
import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, set_seed
from filelock import FileLock, Timeout
from safetensors.torch import save_file
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from tqdm import tqdm

from capmodel.command_line import UserError
from capmodel.malloc import hold
from capmodel.model.fast_encoder import has_bfloat16

Batch = dict[str, Tensor | float]
Value = TypeVar("Value")
MIXED_PRECISIONS = ("auto", "no", "bf16", "fp16")
# Threads that prepare batches, two of them each ahead: a GPU learns from photos quicker than two threads can load them.
LOADERS = min(16, max(2, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", 1))))
PREFETCH = 2 * LOADERS
# How long processes wait for each other. While the first computes the grids of a large data set, or validates, the
# others wait for longer than the ten minutes after which PyTorch would take it for dead.
PATIENCE = timedelta(hours=6)
VISIBLE = 120.0  # seconds, at most, until a new file is seen by all machines that share its folder: NFS takes a while


@dataclass(frozen=True)
class FitOptions:
    """How long and how fast to train.

    Attributes:
        steps: optimizer steps in all.
        warmup: steps over which the learning rate climbs linearly from 0; then it falls along a
            cosine to 0 (Loshchilov & Hutter 2017).
        clip: the largest norm of the gradient; None does not clip.
        ema: decay of the exponential moving average of the weights (Polyak & Juditsky 1992) that
            is validated and kept; None keeps the weights themselves.
        save_every: steps between checkpoints.
        validate_every: steps between validations; there is always one at the end.
        seed: of everything random.
    """

    steps: int
    warmup: int = 100
    clip: float | None = 1.0
    ema: float | None = None
    save_every: int = 100
    validate_every: int = 500
    seed: int = 0


def make_accelerator(precision: str = "no") -> Accelerator:
    """Accelerate's devices, mixed precision and processes.

    The precision "auto" is that of `quickest_precision`.

    Without an accelerator the processor is asked for by name: only then does accelerate let
    several processes (`torchrun --nproc-per-node 2 -m train.xe ...`) work together on it. And its
    memory is kept, which makes steps quicker.
    """
    on_processor = not torch.accelerator.is_available()
    if on_processor:
        hold()
    accelerator = Accelerator(
        mixed_precision=quickest_precision() if precision == "auto" else precision,
        cpu=on_processor,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )
    # `accelerate launch` sets the port for those who ask for several processes, but starts only one if --cpu is given.
    if accelerator.num_processes == 1 and {"ACCELERATE_USE_CPU", "MASTER_PORT"} <= os.environ.keys():
        warnings.warn(
            "accelerate launch was asked for several processes and started one: on the processor it needs "
            "--multi_gpu instead of --cpu (whatever its name), or use torchrun.",
            stacklevel=2,
        )
    return accelerator


def quickest_precision() -> str:
    """ "bf16" where the device multiplies in bfloat16, else "no": one that only imitates it is slower with it.

    A processor with AVX2 and no more encodes photos five times slower.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if has_bfloat16() else "no"


def made_by_first(path: Path, make: Callable[[], object], accelerator: Accelerator) -> Path:
    """A file that the first process makes unless it is there, and that the others then find.

    Raises:
        FileNotFoundError: this process does not find it; so its machine does not share the folder with the first one.
    """
    if accelerator.is_main_process and not path.exists():
        make()
    accelerator.wait_for_everyone()
    until = time.monotonic() + VISIBLE
    while not path.exists():
        if time.monotonic() > until:
            raise FileNotFoundError(
                f"{path} was made by another process, but is not to be seen from here: all machines must share the folder."
            )
        time.sleep(VISIBLE / 100)
    return path


def value_at(step: int, steps: int, values: Sequence[Value]) -> Value:
    """Of values that each hold for an equal part of the training, the one for a step."""
    return values[step * len(values) // steps]


def learning_rate_factor(step: int, options: FitOptions) -> float:
    """What the learning rate is multiplied with at a step, 0..1."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    progress = (step - options.warmup) / max(1, options.steps - options.warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def fit(
    objective: nn.Module,
    batch_at: Callable[[int], Batch],
    optimizer: torch.optim.Optimizer,
    options: FitOptions,
    folder: Path,
    accelerator: Accelerator,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
) -> None:
    """Trains `objective` in place and resumes from `folder` if a run was cut off there.

    Args:
        objective: returns its losses; see the module's docstring.
        batch_at: the batch of a step, for this process. Called from threads.
        optimizer: over the objective's parameters; its learning rates are the peaks.
        validate: scores the objective (with averaged weights, if `options.ema`), on the main
            process. The best ``"score"`` so far is kept as ``best.safetensors``.
        folder: gets ``checkpoint.pt`` (to resume), ``log.jsonl`` (a line a step) and
            ``best.safetensors``. One run at a time may use it.

    Raises:
        ValueError: another run uses the folder, or the one that was cut off there had other options.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    objective, optimizer = accelerator.prepare(objective, optimizer)
    plain = accelerator.unwrap_model(objective)
    average = ModelEmaV3(plain, decay=options.ema, use_warmup=True) if options.ema else None
    with _only_run(folder, accelerator), ThreadPoolExecutor(LOADERS) as pool:
        run = _Run(plain, optimizer, average, options, folder, accelerator)
        start = run.resume()
        log = _Log(folder / "log.jsonl", start) if accelerator.is_main_process else None
        ahead = deque(pool.submit(batch_at, step) for step in range(start, min(start + PREFETCH, options.steps)))
        bar = tqdm(
            range(start, options.steps), initial=start, total=options.steps, disable=not accelerator.is_main_process
        )
        for step in bar:
            batch = {key: _to(value, accelerator.device) for key, value in ahead.popleft().result().items()}
            if step + PREFETCH < options.steps:
                ahead.append(pool.submit(batch_at, step + PREFETCH))
            set_seed(options.seed + step, device_specific=True)
            objective.train()
            factor = learning_rate_factor(step, options)
            for group in optimizer.param_groups:
                group["lr"] = factor * group["initial_lr"]
            losses = objective(batch)
            accelerator.backward(losses["loss"])
            if options.clip:
                accelerator.clip_grad_norm_(objective.parameters(), options.clip)
            optimizer.step()
            optimizer.zero_grad()
            if average:
                average.update(plain, step=step)
            losses = {key: accelerator.reduce(value.detach(), "mean").item() for key, value in losses.items()}
            if log:
                log.write({"step": step, "lr": factor, **losses})
                bar.set_postfix({key: f"{value:.3f}" for key, value in losses.items()}, refresh=False)
            done = step + 1 == options.steps
            if validate and (done or (step + 1) % options.validate_every == 0):
                if accelerator.is_main_process:
                    scores = validate(average.module if average else plain)
                    log.write({"step": step, **scores})
                    tqdm.write(f"step {step + 1}: " + ", ".join(f"{key} {value:.4g}" for key, value in scores.items()))
                    run.keep_if_best(scores["score"])
                accelerator.wait_for_everyone()
            if done or (step + 1) % options.save_every == 0:
                run.save(step + 1)


@contextmanager
def _only_run(folder: Path, accelerator: Accelerator) -> Iterator[None]:
    """Keeps other runs out of a folder: two would mix their logs and overwrite each other's checkpoints.

    The system takes the lock back when the process ends, however it ends, so a killed run can be started again.
    """
    if not accelerator.is_main_process:
        yield
        return
    lock = FileLock(folder / "run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            f"Another run is training in {folder}; wait until it is done, or give another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


class _Run:
    """What must survive a kill, and where it is kept."""

    def __init__(self, module, optimizer, average, options, folder, accelerator):
        self.module, self.optimizer, self.average = module, optimizer, average
        self.options, self.accelerator = options, accelerator
        self.checkpoint, self.best_weights = folder / "checkpoint.pt", folder / "best.safetensors"
        self.best = -math.inf

    def save(self, step: int) -> None:
        if not self.accelerator.is_main_process:
            return
        state = {
            "step": step,
            "options": asdict(self.options),
            "best": self.best,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else None,
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)  # a kill while writing leaves the old checkpoint whole

    def resume(self) -> int:
        if not self.checkpoint.exists():
            return 0
        # To the processor, from where it is copied: of several there, a process' device is called cpu:0, which torch.load
        # does not know.
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if state["options"] != asdict(self.options):
            raise UserError(
                f"{self.checkpoint} is of a run with other options ({state['options']}); "
                "give the same ones to go on with it, or another folder to start anew."
            )
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.best = state["best"]
        return state["step"]

    def keep_if_best(self, score: float) -> None:
        if score <= self.best:
            return
        self.best = score
        module = self.average.module if self.average else self.module
        partial = self.best_weights.with_suffix(".partial")
        save_file({key: value.contiguous() for key, value in module.state_dict().items()}, partial)
        partial.replace(self.best_weights)


class _Log:
    """Appends JSON lines; lines of steps that will be run again are dropped first."""

    def __init__(self, path: Path, start: int):
        kept = []
        if start and path.exists():
            kept = [line for line in path.read_text().splitlines() if json.loads(line)["step"] < start]
        path.write_text("".join(line + "\n" for line in kept))
        self.path = path
        self.began = time.time()

    def write(self, values: dict[str, float]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({**values, "seconds": round(time.time() - self.began, 2)}) + "\n")


def _to(value: Tensor | float, device: torch.device) -> Tensor | float:
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
