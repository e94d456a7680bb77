"""Settings of an experiment: one TOML file, one frozen tree of typed values."""

from lithoscope_services.settings.actuator_table import ActuatorPlanSettings, ActuatorSettings
from lithoscope_services.settings.dashboard_table import DashboardSettings
from lithoscope_services.settings.decide_table import DecideSettings
from lithoscope_services.settings.errors import SettingsError
from lithoscope_services.settings.load import (
    CONFIG_VARIABLE,
    find_settings_file,
    load_settings,
    parse_settings,
    replace_values,
)
from lithoscope_services.settings.render import render_settings
from lithoscope_services.settings.rule_table import RuleSettings
from lithoscope_services.settings.segment_table import SegmentSettings
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.settings.tree import (
    ExperimentSettings,
    IngestSettings,
    InstanceSettings,
    PlanSettings,
    ReconstructSettings,
    RegisterSettings,
    ScanSettings,
    Settings,
)

__all__ = [
    "CONFIG_VARIABLE",
    "ActuatorPlanSettings",
    "ActuatorSettings",
    "DashboardSettings",
    "DecideSettings",
    "ExperimentSettings",
    "IngestSettings",
    "InstanceSettings",
    "PlanSettings",
    "ReconstructSettings",
    "RegisterSettings",
    "RuleSettings",
    "ScanSettings",
    "SegmentSettings",
    "Settings",
    "SettingsError",
    "SourceSettings",
    "find_settings_file",
    "load_settings",
    "parse_settings",
    "render_settings",
    "replace_values",
]
