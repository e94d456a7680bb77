"""Make the actuator that the settings name."""

from pathlib import Path

from lithoscope_services.actuators.dry_run import DryRunActuator
from lithoscope_services.actuators.guards import Limits
from lithoscope_services.actuators.keys import read_keys
from lithoscope_services.actuators.protocol import Actuator
from lithoscope_services.settings.tree import Settings


def choose_actuator(settings: Settings) -> Actuator:
    """Make the actuator that the settings name; ``off`` gets one that sends nothing.

    Raises
    ------
    ActuatorError
        If a package or a key is missing.
    """
    table = settings.actuators
    if table.kind in ("off", "dry_run") or table.address is None:
        return DryRunActuator()
    keys = read_keys(None if table.keys_file is None else Path(table.keys_file))
    if table.kind == "webhook":
        from lithoscope_services.actuators.webhook import WebhookActuator

        return WebhookActuator(table.address, keys.webhook_secret, timeout_s=table.timeout_s)
    from lithoscope_services.actuators.queue_link import ManagerLink
    from lithoscope_services.actuators.queue_server import QueueServerActuator

    link = ManagerLink(table.address, timeout_s=table.timeout_s, public_key=keys.queue_public_key)
    return QueueServerActuator(link, table, settings.actuator_plans, lock_key=keys.lock_key)


def check_actuator(settings: Settings) -> None:
    """Make the actuator and close it again, so that what is missing is said before the start.

    Raises
    ------
    ActuatorError
        If a package or a key is missing.
    """
    choose_actuator(settings).close()


def limits_of(settings: Settings) -> Limits:
    """Give the limits that the settings set."""
    table = settings.actuators
    return Limits(
        is_off=table.kind == "off",
        is_dry_run=table.kind == "dry_run",
        max_data_age_s=table.max_data_age_s,
        max_per_hour=table.max_per_hour,
    )
