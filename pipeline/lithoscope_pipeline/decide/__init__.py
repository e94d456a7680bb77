"""Rules on metrics: when they fire, what they propose and what holds them back; pure functions."""

from lithoscope_pipeline.decide.actions import (
    MAY_BE_AUTO,
    PARAMETERS,
    PROTECTIVE,
    Action,
    ActionName,
    ParameterBounds,
    RuleClass,
    make_action,
    parameter_problems,
)
from lithoscope_pipeline.decide.backtest import RuleBacktest, backtest
from lithoscope_pipeline.decide.canonical import (
    NOT_COMPARED,
    Canonical,
    canonical_decisions,
    canonical_firing,
    canonical_proposal,
    canonical_sha256,
)
from lithoscope_pipeline.decide.default_rules import default_rules
from lithoscope_pipeline.decide.follow import Step, follow
from lithoscope_pipeline.decide.gates import GateFinding, GateLimits, judge_gates
from lithoscope_pipeline.decide.policy import Proposal, Seen, Verdict, decide, decide_late
from lithoscope_pipeline.decide.reading import Reading, read
from lithoscope_pipeline.decide.rule import (
    IMAGE_GATES,
    MODES,
    Bound,
    Comparison,
    GateName,
    Mode,
    Prediction,
    Region,
    Rule,
    RuleError,
    RuleProblem,
    Severity,
    least_mode,
    rules_sha256,
)
from lithoscope_pipeline.decide.scan_record import ScanRecord
from lithoscope_pipeline.decide.voltage import PulseVoltage, find_pulses, measure_voltage

__all__ = [
    "IMAGE_GATES",
    "MAY_BE_AUTO",
    "MODES",
    "NOT_COMPARED",
    "PARAMETERS",
    "PROTECTIVE",
    "Action",
    "ActionName",
    "Bound",
    "Canonical",
    "Comparison",
    "GateFinding",
    "GateLimits",
    "GateName",
    "Mode",
    "ParameterBounds",
    "Prediction",
    "Proposal",
    "PulseVoltage",
    "Reading",
    "Region",
    "Rule",
    "RuleBacktest",
    "RuleClass",
    "RuleError",
    "RuleProblem",
    "ScanRecord",
    "Seen",
    "Severity",
    "Step",
    "Verdict",
    "backtest",
    "canonical_decisions",
    "canonical_firing",
    "canonical_proposal",
    "canonical_sha256",
    "decide",
    "decide_late",
    "default_rules",
    "find_pulses",
    "follow",
    "judge_gates",
    "least_mode",
    "make_action",
    "measure_voltage",
    "parameter_problems",
    "read",
    "rules_sha256",
]
