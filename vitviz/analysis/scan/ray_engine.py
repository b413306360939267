"""Engine that distributes the shards of a scan over a Ray cluster, as a Ray Data job with a pool of actors."""

from __future__ import annotations

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


def ray_engine(
    actors: int | None = None,
) -> Engine:
    """Return an engine for `Plan.run`.

    The cluster is the one of Ray's own settings (`RAY_ADDRESS`, or a cluster that was started on this machine); without
    one, Ray starts a cluster on this machine. All machines must see the source and the folder of the scan under the
    same address.

    Args:
        actors: number of processes with the model; by default one for each GPU if the model is on a GPU, else one for
            every four cores.

    Raises:
        VitvizError: if Ray is not installed.
    """
    require("ray", "The engine ray")

    def run(worker: Worker, shards: Sequence[int], progress: Callable[[int], object]) -> Iterator[Shard]:
        if shards:
            yield from _run(worker, shards, progress, actors)

    return run


def _run(
    worker: Worker, shards: Sequence[int], progress: Callable[[int], object], actors: int | None
) -> Iterator[Shard]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report its use over the network
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    import ray.data
    import ray.exceptions

    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="ERROR")
    resources, count = _resources(worker, ray.cluster_resources(), actors)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # The model goes to the store of objects once, and not with each task.
    reference = ray.put(worker)
    blocks = min(len(shards), TASKS_OF_ACTOR * count)
    data = ray.data.from_items([{"shard": int(shard)} for shard in shards], override_num_blocks=blocks).map_batches(
        Actor,
        fn_constructor_args=(reference, resources.get("num_cpus", 1)),
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


def _resources(worker: Worker, cluster: dict[str, float], actors: int | None) -> tuple[dict[str, float], int]:
    """Return the resources of an actor, and the number of actors."""
    if next(worker.model.parameters()).device.type == "cuda":
        count = max(1, int(cluster.get("GPU", 0))) if actors is None else actors
        return {"num_gpus": 1, "num_cpus": max(1, int(cluster.get("CPU", 1) // count))}, count
    cpus = max(1, int(cluster.get("CPU", 1)))
    count = max(1, cpus // CPUS_OF_ACTOR) if actors is None else actors
    return {"num_cpus": max(1, cpus // count)}, count


class Actor:
    """Process of the cluster that holds the model and writes shards.

    Args:
        reference: the worker in Ray's store of objects.
        cpus: number of cores of this process.
    """

    def __init__(self, reference: Any, cpus: int):
        import ray
        import torch

        torch.set_num_threads(int(cpus))
        self.worker: Worker = replace(ray.get(reference), threads=int(cpus))

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
