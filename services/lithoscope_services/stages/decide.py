"""Numbers to answers: which rules fire, what is proposed, what people said to it.

Nothing is sent to the beamline from here: proposals wait for a person, and an approval is
recorded for the plan to see.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from lithoscope_messages import (
    ActionApproved,
    ActionExpired,
    ActionRejected,
    ApprovalRequested,
    BlindAlarm,
    Evidence,
    Fact,
    ProposalMade,
    RejectionRequested,
    RuleFired,
    ScanDecided,
    StageName,
)
from lithoscope_pipeline.decide import (
    Decision,
    Proposal,
    Rule,
    RuleFiring,
    ScanMeasurement,
    decide,
)
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.settings import RuleSettings
from lithoscope_services.stage import Task, json_sha256, make_task
from lithoscope_services.stages.inputs import fact_parts, settings_of
from lithoscope_services.stages.measure import to_metric

#: Actions that lower the risk for the cell; the others change the scanning alone.
PROTECTIVE = ("hold", "pause", "lower_current")


class DecideStage:
    """Scans are answered in their order; requests of people as they come."""

    name: StageName = "decide"
    algorithm_version = 1

    def plan(self, history: History) -> Sequence[Task]:
        """Give the requests without an answer, then the next scan that can be answered."""
        tasks = self._answers(history)
        before: list[ScanHistory] = []
        for scan in history.in_order():
            before.append(scan)
            if scan.decided is not None or "decide" in scan.failures:
                continue
            if scan.metrics is None and scan.failure is None:
                break
            tasks.append(self._decision(history, before))
            break
        return tasks

    def _decision(self, history: History, scans: Sequence[ScanHistory]) -> Task:
        newest = scans[-1]
        settings = settings_of(history)
        known = [scan.metrics for scan in scans if scan.metrics is not None]
        phase = None if newest.started is None else newest.started.phase
        open_proposals = [
            {"proposal": key, "scan": made.scan}
            for key, made in history.proposals.items()
            if key not in history.answered
            and made.expires_s is not None
            and phase is not None
            and made.expires_s < phase.experiment_time_s
        ]
        return make_task(
            self,
            newest.scan,
            inputs=[metrics.work_key for metrics in known],
            parameters={
                "rules": [rule.model_dump(mode="json") for rule in settings.rules],
                "experiment_time_s": 0.0 if phase is None else phase.experiment_time_s,
                "failure": "" if newest.failure is None else newest.failure.error,
                "next_current_mA": None if phase is None else phase.next_current_mA,
                "retries": sum(
                    count for (scan, _), count in history.retries.items() if scan == newest.scan
                ),
            },
            arguments={
                "experiment": history.experiment,
                "expired": open_proposals,
                "measurements": [
                    {
                        "scan": metrics.scan,
                        "time_s": metrics.experiment_time_s,
                        "metrics": {n: v.model_dump() for n, v in metrics.metrics.items()},
                    }
                    for metrics in known
                ],
            },
        )

    def _answers(self, history: History) -> list[Task]:
        tasks = []
        for entry in history.requests:
            message = entry.message
            if not isinstance(message, ApprovalRequested | RejectionRequested):
                continue
            made = history.proposals.get(message.proposal)
            if made is None or message.proposal in history.answered:
                continue
            tasks.append(
                make_task(
                    self,
                    made.scan,
                    inputs=[message.proposal],
                    parameters={"request": message.type, "person": message.person},
                    arguments={
                        "experiment": history.experiment,
                        "answer": message.type,
                        "proposal": message.proposal,
                        "person": message.person,
                        "reason": message.reason,
                    },
                )
            )
        return tasks[:1]

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Answer a scan, or a person."""
        if "answer" in task.arguments:
            yield self._answer(task)
        else:
            yield from self._decide(task)

    def _answer(self, task: Task) -> Fact:
        arguments = task.arguments
        kind = ActionApproved if arguments["answer"] == "ApprovalRequested" else ActionRejected
        return kind(
            **self._parts(task, arguments["proposal"]),
            proposal=arguments["proposal"],
            person=arguments["person"],
            reason=arguments["reason"],
        )

    def _decide(self, task: Task) -> Iterator[Fact]:
        for each in task.arguments["expired"]:
            parts = {**self._parts(task, each["proposal"]), "scan": each["scan"]}
            yield ActionExpired(**parts, proposal=each["proposal"])
        rules = [RuleSettings.model_validate(r, strict=False) for r in task.parameters["rules"]]
        failure = task.parameters["failure"]
        if failure:
            yield from self._blind(task, rules, failure)
            return
        time_s = task.parameters["experiment_time_s"]
        history = [
            ScanMeasurement(
                scan=each["scan"],
                time_s=each["time_s"],
                metrics={name: to_metric(value) for name, value in each["metrics"].items()},
            )
            for each in task.arguments["measurements"]
        ]
        proposals: list[str] = []
        fired: list[str] = []
        for rule in rules:
            decision = decide(history, [_to_rule(rule)], mode=rule.mode, time_s=time_s)
            yield from self._facts_of(task, rule, decision)
            fired += [firing.rule_id for firing in decision.fired]
            proposals += [_proposal_key(proposal) for proposal in decision.proposals]
        yield self._decided(task, rules, fired, proposals)

    def _facts_of(self, task: Task, rule: RuleSettings, decision: Decision) -> Iterator[Fact]:
        for firing in decision.fired:
            yield RuleFired(
                **self._parts(task, f"{firing.rule_id}:{firing.scan}"),
                rule=firing.rule_id,
                rule_sha256=firing.rule_key,
                evidence=(_evidence(task, rule.metric, firing),),
                severity=firing.severity,
                reason=firing.reason,
            )
        for proposal in decision.proposals:
            firing = proposal.firing
            key = _proposal_key(proposal)
            yield ProposalMade(
                **self._parts(task, key),
                proposal=key,
                rule=firing.rule_id,
                rule_sha256=firing.rule_key,
                action=proposal.action,
                parameters={},
                rule_class="reduces_risk" if proposal.action in PROTECTIVE else "neutral",
                mode=rule.mode,
                evidence=(_evidence(task, rule.metric, firing),),
                reason=firing.reason,
                guidance=proposal.guidance,
                experiment_time_s=proposal.made_time_s,
                expires_s=proposal.expires_time_s,
            )
        for alarm in decision.blind:
            yield self._alarm(task, alarm.rule_id, alarm.reason, rule.guidance)

    def _blind(self, task: Task, rules: Sequence[RuleSettings], failure: str) -> Iterator[Fact]:
        """Say for each protective rule that it cannot see: a failed scan mutes none."""
        for rule in rules:
            if rule.mode != "off" and rule.action in PROTECTIVE:
                yield self._alarm(task, rule.id, f"no metrics: {failure}"[:1000], rule.guidance)
        yield self._decided(task, rules, [], [], reason=f"no metrics: {failure}"[:1000])

    def _alarm(self, task: Task, rule: str, reason: str, guidance: str) -> BlindAlarm:
        retries = task.parameters["retries"]
        return BlindAlarm(
            **self._parts(task, f"{rule}:{task.scan}:{retries}"),
            rule=rule,
            reason=reason,
            guidance=guidance,
        )

    def _decided(
        self,
        task: Task,
        rules: Sequence[RuleSettings],
        fired: Sequence[str],
        proposals: Sequence[str],
        reason: str = "",
    ) -> ScanDecided:
        return ScanDecided(
            **self._parts(task, f"{task.scan}:{task.parameters['retries']}"),
            verdict="continue",
            rules_evaluated=tuple(rule.id for rule in rules if rule.mode != "off"),
            rules_fired=tuple(fired),
            proposals=tuple(proposals),
            reason=reason,
        )

    def _parts(self, task: Task, key: str) -> dict[str, Any]:
        parts = fact_parts(task, self.name, key)
        del parts["work_key"]
        return {**parts, "algorithm_version": self.algorithm_version}


def _to_rule(rule: RuleSettings) -> Rule:
    return Rule(
        id=rule.id,
        metric=rule.metric,
        comparison=rule.comparison,
        set_value=rule.set_value,
        reset_value=rule.reset_value,
        k=rule.k,
        n=rule.n,
        bound=rule.bound,
        action=rule.action,
        severity=rule.severity,
        guidance=rule.guidance,
        time_to_live_s=rule.time_to_live_s,
    )


def _proposal_key(proposal: Proposal) -> str:
    """Name a proposal by what it is, so that a replay proposes the same."""
    firing = proposal.firing
    return json_sha256([firing.rule_key, firing.scan, proposal.action])[:16]


def _evidence(task: Task, metric: str, firing: RuleFiring) -> Evidence:
    newest = task.arguments["measurements"][-1]["metrics"].get(metric, {})
    return Evidence(
        metric=metric,
        value=newest.get("value"),
        low95=newest.get("low95"),
        high95=newest.get("high95"),
        bound_used=firing.compared,
        flags=tuple(newest.get("flags", ())),
    )


STAGE = DecideStage()
