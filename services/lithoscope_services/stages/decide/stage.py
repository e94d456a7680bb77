"""The stage: which scans want an answer, and what it is.

Nothing is sent to the beamline from here: an actuator reads the proposals that may be acted on.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lithoscope_messages import ActionExpired, Fact, ScanDecided, StageName
from lithoscope_pipeline.decide import PROTECTIVE, Rule, Verdict, decide, decide_late, rules_sha256
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.lease import ceiling_of, hold_in_force
from lithoscope_services.settings import DecideSettings, RuleSettings, Settings
from lithoscope_services.settings.rule_table import region_of
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages.decide.answers import execute_answer, plan_answers
from lithoscope_services.stages.decide.facts import alarm_key, facts_of, proposal_key
from lithoscope_services.stages.decide.numbers import describe_scan
from lithoscope_services.stages.decide.records import gate_limits, numbers_of, records_of
from lithoscope_services.stages.inputs import fact_parts
from lithoscope_store import ExperimentPaths, Store

LATE = "late"


class DecideStage:
    """Scans are answered in their order; requests of people, and lateness, as they come."""

    name: StageName = "decide"
    algorithm_version = 2

    def plan(self, history: History) -> Sequence[Task]:
        """Give the requests without an answer, then what is to be decided."""
        settings = history.settings
        tasks = [*plan_answers(self, history), *self._late(history, settings)]
        before: list[ScanHistory] = []
        for scan in history.in_order():
            before.append(scan)
            if scan.decided is not None or "decide" in scan.failures:
                continue
            if scan.metrics is None and scan.failure is None:
                break
            tasks.append(self._decision(history, before, settings))
            break
        return tasks

    def _decision(
        self, history: History, scans: Sequence[ScanHistory], settings: Settings
    ) -> Task:
        newest = scans[-1]
        phase = None if newest.started is None else newest.started.phase
        expired = [
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
            inputs=[scan.metrics.work_key for scan in scans if scan.metrics is not None],
            parameters={
                **_parameters(settings),
                "failure": "" if newest.failure is None else newest.failure.error,
                "next_current_mA": None if phase is None else phase.next_current_mA,
                "mode": ceiling_of(history),
                "hold": hold_in_force(history),
                "retries": sum(
                    count for (scan, _), count in history.retries.items() if scan == newest.scan
                ),
            },
            arguments={
                "experiment": history.experiment,
                "expired": expired,
                "scans": [describe_scan(scan, history) for scan in scans],
            },
        )

    def _late(self, history: History, settings: Settings) -> list[Task]:
        """Give the scans whose plan waited in vain, and whose rules have not said so yet."""
        rules = [
            rule.id
            for rule in settings.rules
            if rule.mode != "off"
            and rule.action in PROTECTIVE
            and (rule.region or region_of(rule.metric)) == "view"
        ]
        return [
            make_task(
                self,
                scan.scan,
                inputs=[LATE, scan.late.key],
                parameters={**_parameters(settings), "mode": ceiling_of(history)},
                arguments={
                    "experiment": history.experiment,
                    "waited_s": scan.late.waited_s,
                    "scans": [describe_scan(scan, history)],
                },
            )
            for scan in history.in_order()
            if scan.late is not None
            and not scan.alarms.issuperset(alarm_key(rule, scan.scan, LATE) for rule in rules)
        ]

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Answer a scan, or a person."""
        if "answer" in task.arguments:
            yield from execute_answer(self, task)
            return
        rules, table = _rules_of(task), _table_of(task)
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        if "waited_s" in task.arguments:
            yield from self._say_late(task, rules, table, paths)
            return
        for each in task.arguments["expired"]:
            parts = {**self._parts(task), "scan": each["scan"], "key": each["proposal"]}
            yield ActionExpired(**parts, proposal=each["proposal"])
        records = records_of(task.arguments["scans"], paths, table)
        newest = records[-1]
        verdicts = decide(
            records,
            rules,
            mode=task.parameters["mode"],
            time_s=newest.time_s,
            limits=gate_limits(table, residual_limit_px=task.parameters["residual_limit_px"]),
        )
        retries = str(task.parameters["retries"])
        yield from facts_of(verdicts, self._parts(task), attempt=retries)
        numbers = numbers_of(newest, task.arguments["scans"][-1])
        yield ScanDecided(
            **self._parts(task),
            **_answer(task, verdicts),
            key=f"{task.scan}:{retries}",
            rules_evaluated=tuple(
                rule.id
                for rule in rules
                if rule.mode != "off" and (rule.metric in newest.metrics or rule.is_protective)
            ),
            rules_sha256=rules_sha256(rules),
            model=newest.model,
            mode=task.parameters["mode"],
            numbers=numbers,
        )

    def _say_late(
        self, task: Task, rules: Sequence[Rule], table: DecideSettings, paths: ExperimentPaths
    ) -> Iterator[Fact]:
        (record,) = records_of(task.arguments["scans"], paths, table)
        verdicts = decide_late(
            record,
            rules,
            mode=task.parameters["mode"],
            waited_s=task.arguments["waited_s"],
            time_s=record.time_s,
        )
        yield from facts_of(verdicts, self._parts(task), attempt=LATE)

    def _parts(self, task: Task) -> dict[str, Any]:
        parts = fact_parts(task, self.name, "")
        del parts["work_key"], parts["key"]
        return {**parts, "algorithm_version": self.algorithm_version}


def _parameters(settings: Settings) -> dict[str, Any]:
    return {
        "rules": [rule.model_dump(mode="json") for rule in settings.rules],
        "decide": settings.decide.model_dump(mode="json"),
        "residual_limit_px": settings.registration.residual_limit_px,
    }


def _rules_of(task: Task) -> tuple[Rule, ...]:
    tables = task.parameters["rules"]
    return tuple(RuleSettings.model_validate(each, strict=False).to_rule() for each in tables)


def _table_of(task: Task) -> DecideSettings:
    return DecideSettings.model_validate(task.parameters["decide"], strict=False)


def _answer(task: Task, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Say whether the plan goes on: not while a hold is in force, nor into one that is sent."""
    made = [(verdict, each) for verdict in verdicts for each in verdict.proposals]
    holding = [
        f"rule {verdict.rule_id}: {each.reason}"
        for verdict, each in made
        if each.mode == "auto" and each.action.name in ("hold", "pause")
    ]
    why = [*([task.parameters["hold"]] if task.parameters["hold"] else []), *holding]
    failure = task.parameters["failure"]
    said = [*(["no metrics: " + failure] if failure else []), *why]
    return {
        "verdict": "hold" if why else "continue",
        "rules_fired": tuple(verdict.rule_id for verdict in verdicts if verdict.has_fired),
        "proposals": tuple(proposal_key(verdict, each) for verdict, each in made),
        "reason": ". ".join(said)[:1000],
    }
