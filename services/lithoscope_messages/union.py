"""All that may stand in the journal, and who may write it."""

from lithoscope_messages import decisions, facts

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
    | facts.ElectrochemistryAppended
    | facts.StageFailed
    | facts.ExperimentEnded
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
    | decisions.Disarmed
    | decisions.BlindAlarm
)
RequestMessage = (
    decisions.ApprovalRequested
    | decisions.RejectionRequested
    | decisions.ArmRequested
    | decisions.DisarmRequested
    | decisions.AcknowledgeRequested
    | decisions.RetryRequested
    | decisions.ReplayControlRequested
)
JournalMessage = FactMessage | RequestMessage

_REQUESTS = frozenset(
    {
        "ApprovalRequested",
        "RejectionRequested",
        "ArmRequested",
        "DisarmRequested",
        "AcknowledgeRequested",
        "RetryRequested",
        "ReplayControlRequested",
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
    "measure": _STAGE | {"MetricsReady"},
    "decide": _STAGE
    | {
        "ScanDecided",
        "RuleFired",
        "ProposalMade",
        "ActionApproved",
        "ActionRejected",
        "ActionExpired",
        "ActionSent",
        "ActionConfirmed",
        "ActionFailed",
        "ActionUnknown",
        "Armed",
        "Disarmed",
        "BlindAlarm",
    },
    "dashboard": _REQUESTS | {"ServiceStarted"},
    "command_line": _REQUESTS,
}
