"""Engine that distributes the shards of a scan over a Ray cluster, as a Ray Data job with a pool of actors."""

from __future__ import annotations

import copy
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from ...errors import ScanError
from ...notation.extras import require
from .loading import Failure
from .worker import Engine, Shard, Worker

CPUS_OF_ACTOR = 4  # at most, if no GPU is used
TASKS_OF_ACTOR = 1000  # at most; with more shards, a task has several


def ray_engine(actors: int | None = None, num_gpus: float | None = None) -> Engine:
    """Return an engine for `Plan.run`.

    The cluster is the one of Ray's own settings (`RAY_ADDRESS`, or a cluster that was started on this machine); without
    one, Ray starts a cluster on this machine. All machines must see the source and the folder of the scan under the
    same address.

    Args:
        actors: number of processes with the model; by default as many as the GPUs of the cluster allow if actors have
            GPUs, else one for every four cores.
        num_gpus: GPUs of each actor, such as 1 or 0.5; by default 1 if the model is on a GPU, else 0. This machine
            needs no GPU itself.

    Raises:
        VitvizError: if Ray is not installed.
    """
    require("ray", "The engine ray")

    def run(worker: Worker, shards: Sequence[int], progress: Callable[[int], object]) -> Iterator[Shard]:
        if shards:
            yield from _run(worker, shards, progress, actors, num_gpus)

    return run


def _run(
    worker: Worker,
    shards: Sequence[int],
    progress: Callable[[int], object],
    actors: int | None,
    num_gpus: float | None,
) -> Iterator[Shard]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report its use over the network
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    import ray.data
    import ray.exceptions

    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="ERROR")
    on_gpu = next(worker.model.parameters()).device.type != "cpu"
    resources, count = resources_of(ray.cluster_resources(), actors, float(on_gpu) if num_gpus is None else num_gpus)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # The model goes to the store of objects once, and not with each task. It goes as a model on the CPU, because each
    # actor has its own numbers of devices.
    reference = ray.put(replace(worker, model=copy.deepcopy(worker.model).cpu()) if on_gpu else worker)
    blocks = min(len(shards), TASKS_OF_ACTOR * count)
    data = ray.data.from_items([{"shard": int(shard)} for shard in shards], override_num_blocks=blocks).map_batches(
        Actor,
        fn_constructor_args=(reference, resources["num_cpus"], "cuda" if "num_gpus" in resources else "cpu"),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=count),
        **resources,
    )
    try:
        for row in data.iter_rows():
            shard = _shard_from(row["shard"])
            if row["problem"]:
                raise ScanError(row["problem"])
            progress(shard.images + len(shard.failures))
            yield shard
    except ray.exceptions.RayError as error:
        reason = str(getattr(error, "cause", None) or error).strip().splitlines()[-1]
        raise ScanError(f"A process of Ray failed ({reason}); continue the scan with resume.") from error


def resources_of(cluster: dict[str, float], actors: int | None, num_gpus: float) -> tuple[dict[str, float], int]:
    """Return the resources of an actor by their names in Ray, and the number of actors.

    Args:
        cluster: resources of the cluster, as `ray.cluster_resources` returns them.
        actors: see `ray_engine`.
        num_gpus: GPUs of each actor.

    Raises:
        ScanError: if the cluster has fewer GPUs than the actors need; Ray would wait for more without an end.
    """
    cpus, gpus = max(1, int(cluster.get("CPU", 1))), cluster.get("GPU", 0.0)
    if num_gpus > 0:
        count = max(1, int(gpus / num_gpus)) if actors is None else actors
        if count * num_gpus > gpus:
            raise ScanError(
                f"{count} actor{'s' * (count > 1)} with {num_gpus:g} GPU each need {count * num_gpus:g} GPUs, but the "
                f"cluster has {gpus:g}; use fewer actors, or num_gpus=0 for CPUs."
            )
        return {"num_gpus": num_gpus, "num_cpus": max(1, cpus // count)}, count
    count = max(1, cpus // CPUS_OF_ACTOR) if actors is None else actors
    return {"num_cpus": max(1, cpus // count)}, count


class Actor:
    """Process of the cluster that holds the model and writes shards.

    Args:
        reference: the worker in Ray's store of objects.
        cpus: number of cores of this process.
        device: device of this process.
    """

    def __init__(self, reference: Any, cpus: int, device: str):
        import ray
        import torch

        torch.set_num_threads(int(cpus))
        worker: Worker = ray.get(reference)
        if device != "cpu":  # objects of the store must not be changed
            worker = replace(worker, model=copy.deepcopy(worker.model).to(device))
        self.worker = replace(worker, threads=int(cpus))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Write the shards of a batch, again if the process that had this task was lost."""
        results, problem = [], ""
        for number in map(int, batch["shard"]):
            try:
                (shard,) = self.worker([number])
            except ScanError as error:  # as a value, because Ray would wrap it into an error of its own
                shard, problem = Shard(number, 0, (), 0), str(error)
            results.append(json.dumps(asdict(shard)))
        return {"shard": results, "problem": [problem] * len(results)}


def _shard_from(text: str) -> Shard:
    fields = json.loads(text)
    return Shard(**{**fields, "failures": tuple(Failure(**one) for one in fields["failures"])})
