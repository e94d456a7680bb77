"""An audit for a person: one block a decision, in the order of the journal."""

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

Document = dict[str, Any]  # JSON


def print_audit(document: Document) -> None:
    """Write an audit to standard output."""
    console = Console(highlight=False, soft_wrap=True)
    problems = document["problems"]
    if problems:
        console.print(Text(f"{document['experiment']}: THE CHAIN DOES NOT HOLD", "bold red"))
        for problem in problems:
            console.print(Text(f"  {problem}", "red"))
    else:
        console.print(
            f"{document['experiment']}: the chain of {document['entries']} entries holds; its "
            f"head is {document['head_hash']}"
        )
    told = [(each["number"], _decision_lines(each)) for each in document["decisions"]]
    told += [(each["number"], iter([_event_line(each)])) for each in document["events"]]
    for _, lines in sorted(told, key=lambda pair: pair[0]):
        for line in lines:
            console.print(Text(line))
    if not document["decisions"]:
        console.print("nothing was proposed")


def _decision_lines(each: Document) -> Iterator[str]:
    asked = " ".join(f"{name}={value}" for name, value in each["parameters"].items())
    what = f"{each['action']} {asked}".strip()
    yield (
        f"{each['time']}  scan {each['scan']}  rule {each['rule']} ({each['rule_sha256'][:8]}) "
        f"proposes {what}  [{each['rule_class']}, {each['mode']}]"
    )
    yield f"    why       {each['reason']}"
    for evidence in each["evidence"]:
        yield f"    evidence  {_evidence(evidence)}"
    if each["failed_gates"]:
        yield f"    gates     failed: {', '.join(each['failed_gates'])}"
    for answer in each["answers"]:
        by = f" by {answer['person']}" if answer["person"] else ""
        reason = f": {answer['reason']}" if answer["reason"] else ""
        yield f"    answer    {answer['time']}  {answer['what']}{by}{reason}"
    sent = each["sent"]
    if sent is not None:
        yield f"    sent      {sent['time']}  {sent['actuator']}  {json.dumps(sent['request'])}"
    for end in each["attempts"]:
        took_s = each["latency"].get("metrics_to_end_s")
        after = f" ({took_s:g} s after the metrics)" if took_s is not None else ""
        yield f"    {end['state']:<9} {end['time']}{after}  {end['text']}"


def _evidence(evidence: Document) -> str:
    bounds = f"{evidence['low95']}..{evidence['high95']}"
    flags = f", flags {', '.join(evidence['flags'])}" if evidence["flags"] else ""
    return (
        f"{evidence['metric']} = {evidence['value']} (95 %: {bounds}; compared: "
        f"{evidence['bound_used']}){flags}"
    )


def _event_line(event: Document) -> str:
    known = ("person", "rule", "alarm", "ends", "reason", "model")
    parts = [f"{name} {event[name]}" for name in known if name in event]
    return f"{event['time']}  {event['what']}  {', '.join(parts)}"
