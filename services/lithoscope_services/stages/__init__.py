"""The stages, by name; each is imported only by the service that runs it."""

from importlib import import_module

from lithoscope_services.stage import Stage


def stage_named(name: str) -> Stage:
    """Give the stage of a service.

    Each module ``lithoscope_services.stages.<name>`` has one, called ``STAGE``.
    """
    module = import_module(f"lithoscope_services.stages.{name}")
    stage: Stage = module.STAGE
    return stage
