"""All that may stand in the journal, and who may write it."""

from lithoscope_messages import decisions, facts, painting

FactMessage = (
    facts.ServiceStarted
    | facts.ExperimentStarted
    | facts.ScanStarted
    | facts.FramesStored
    | facts.ScanCompleted
    | facts.WorkStarted
    | facts.SlabReady
    | facts.VolumeReady
    | facts.TransformReady
    | facts.LabelsReady
    | facts.MetricsReady
    | facts.SurfacesReady
    | facts.ElectrochemistryAppended
    | facts.StageFailed
    | facts.ExperimentEnded
    | facts.Pruned
    | decisions.ScanDecided
    | decisions.VerdictLate
    | decisions.RuleFired
    | decisions.ProposalMade
    | decisions.ActionApproved
    | decisions.ActionRejected
    | decisions.ActionExpired
    | decisions.ActionSent
    | decisions.ActionConfirmed
    | decisions.ActionFailed
    | decisions.ActionUnknown
    | decisions.Armed
    | decisions.ArmRefused
    | decisions.Disarmed
    | decisions.AlarmAcknowledged
    | decisions.HoldReleased
    | decisions.BlindAlarm
    | painting.SlicePainted
)
RequestMessage = (
    decisions.ApprovalRequested
    | decisions.RejectionRequested
    | decisions.ArmRequested
    | decisions.DisarmRequested
    | decisions.HoldReleaseRequested
    | decisions.AcknowledgeRequested
    | decisions.RetryRequested
    | decisions.ReplayControlRequested
    | painting.PaintRequested
)
JournalMessage = FactMessage | RequestMessage

_REQUESTS = frozenset(
    {
        "ApprovalRequested",
        "RejectionRequested",
        "ArmRequested",
        "DisarmRequested",
        "HoldReleaseRequested",
        "AcknowledgeRequested",
        "RetryRequested",
        "ReplayControlRequested",
        "PaintRequested",
    }
)
_STAGE = frozenset({"ServiceStarted", "WorkStarted", "StageFailed"})

#: Which types each role may append; the journal refuses the rest.
MAY_APPEND: dict[str, frozenset[str]] = {
    "supervisor": frozenset({"ServiceStarted"}),
    "journal": frozenset({"ServiceStarted"}),
    "ingest": frozenset(
        {
            "ServiceStarted",
            "ExperimentStarted",
            "ScanStarted",
            "FramesStored",
            "ScanCompleted",
            "ElectrochemistryAppended",
            "ExperimentEnded",
            "StageFailed",
            "VerdictLate",
        }
    ),
    "reconstruct": _STAGE | {"SlabReady", "VolumeReady"},
    "register": _STAGE | {"TransformReady"},
    "segment": _STAGE | {"SlabReady", "LabelsReady"},
    "measure": _STAGE | {"MetricsReady", "SurfacesReady"},
    "decide": _STAGE
    | {
        "ScanDecided",
        "RuleFired",
        "ProposalMade",
        "ActionApproved",
        "ActionRejected",
        "ActionExpired",
        "AlarmAcknowledged",
        "HoldReleased",
        "BlindAlarm",
    },
    "act": frozenset(
        {
            "ServiceStarted",
            "ActionExpired",
            "ActionSent",
            "ActionConfirmed",
            "ActionFailed",
            "ActionUnknown",
            "Armed",
            "ArmRefused",
            "Disarmed",
        }
    ),
    "label": frozenset({"ServiceStarted", "SlicePainted"}),
    "dashboard": _REQUESTS | {"ServiceStarted"},
    "command_line": _REQUESTS | {"ElectrochemistryAppended", "Pruned", "SlicePainted"},
}

#: What may still be said of an experiment whose journal is sealed.
MAY_AMEND = frozenset({"ElectrochemistryAppended", "Pruned", "SlicePainted"})
