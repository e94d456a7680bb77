"""Do a stored experiment again, on this machine or on a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lithoscope_services.cli.options import DEFAULT_STORE, ConfigOption, JsonOption, StoreOption

if TYPE_CHECKING:
    from lithoscope_services.reprocess.run import MakeExecutor
    from lithoscope_services.settings.cluster_table import ClusterSettings

_PANEL = "Stored experiments"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=_PANEL)(reprocess)


def reprocess(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="What is done again.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Of the new experiment.")],
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Setting that is other than it was, such as reconstruct.zingers=0.5; again for "
            "several.",
        ),
    ] = None,
    stages: Annotated[
        str | None,
        typer.Option(
            metavar="FROM:TO",
            help="Stages that are run: reconstruct, register, segment, measure, decide. All by "
            "default. What comes before FROM is taken over as it stands.",
        ),
    ] = None,
    scheduler: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS|local|slurm|none",
            help="Who works: processes of this machine, jobs of Slurm, a Dask scheduler that runs "
            "(tls://host:8786), or this process alone.",
        ),
    ] = "local",
    workers: Annotated[
        int, typer.Option(min=1, max=10_000, help="Workers that are started (local, slurm).")
    ] = 1,
    json: JsonOption = False,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
) -> None:
    """Do a stored experiment again with other parameters or another model, under another name.

    Only what changes is done: results whose work key is the same are taken over, checked by their
    checksums, without taking space twice. The settings are those of the experiment, or those of
    --config; --set changes single ones. Ended in the middle, the same command goes on. Nothing
    acts on a beamline.

    Example:  lithoscope reprocess cell-7 --as cell-7b --set reconstruct.zingers=0.5 --workers 4
    """
    from functools import partial

    from lithoscope_services.cli.options import write_json
    from lithoscope_services.cli.progress import progress_bar
    from lithoscope_services.errors import StopRequested
    from lithoscope_services.follow import StopOnSignal
    from lithoscope_services.reprocess.run import ReprocessOptions, run_reprocess
    from lithoscope_services.settings import load_settings

    options = ReprocessOptions(
        store=store,
        source=experiment,
        name=name,
        given=given or (),
        stages=stages,
        config=config,
        n_beside=workers if scheduler == "local" else 1,
    )
    settings = load_settings(config).cluster
    with StopOnSignal() as stop, _executor(scheduler, workers, settings, store) as make_executor:
        try:
            result = run_reprocess(
                options,
                make_executor,
                look=stop.check,
                progress=partial(progress_bar, f"reprocessing {experiment}"),
            )
        except StopRequested as error:
            raise StopRequested(
                "ended by a signal; what was done is kept, the same command goes on"
            ) from error
    if json:
        write_json(result.as_json())
    else:
        typer.echo(
            f"{name}: {result.n_done} results made, {result.n_reused} taken over from "
            f"{experiment}; lithoscope compare {experiment} {name} shows what differs",
            err=True,
        )
    for failure in result.failures:
        typer.echo(f"lithoscope: warning: {failure}", err=True)


@contextmanager
def _executor(
    scheduler: str, workers: int, settings: "ClusterSettings", store: Path
) -> Iterator["MakeExecutor"]:
    """Start who works, or find it, and give what makes an executor of it."""
    from lithoscope_services.chain.executor import InProcess
    from lithoscope_services.reprocess.addresses import ClusterError, check_address

    if scheduler == "none":
        yield InProcess
        return
    is_address = scheduler not in ("local", "slurm")
    has_tls = is_address and check_address(scheduler, settings)
    try:
        from lithoscope_services.reprocess.cluster import (
            OnDask,
            local_cluster,
            security_of,
            slurm_cluster,
        )
    except ImportError as error:
        raise ClusterError(
            "dask.distributed is not installed; install lithoscope with the extra `cluster`, or "
            "give --scheduler none to work in one process"
        ) from error
    if is_address:
        security = security_of(settings) if has_tls else None
        yield lambda root, name: OnDask(
            scheduler, root, name, security=security, reconnect_s=settings.reconnect_s
        )
        return
    make = (
        local_cluster(workers)
        if scheduler == "local"
        else slurm_cluster(workers, settings, store.resolve() / ".lithoscope")
    )
    with make as cluster:
        yield lambda root, name: OnDask(cluster, root, name, reconnect_s=settings.reconnect_s)
