import json
from pathlib import Path

import pytest

from lithoscope_messages import BlueskyDocument, MessageError
from lithoscope_services.documents import DocumentLog


def document(name: str, text: str) -> BlueskyDocument:
    return BlueskyDocument(
        experiment="cell", session="0" * 32, sequence=0, name=name, document_json=text
    )


def test_a_document_is_kept_once_even_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    start = document("start", '{"uid": "u1"}')

    DocumentLog(path).keep(start)
    second = DocumentLog(path)
    second.keep(start)
    second.keep(document("stop", '{"uid": "u1"}'))

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [
        {"name": "start", "doc": {"uid": "u1"}},
        {"name": "stop", "doc": {"uid": "u1"}},
    ]


def test_a_line_that_was_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    path.write_text('{"name": "start", "doc": {"uid": "u')

    DocumentLog(path).keep(document("start", '{"uid": "u1"}'))

    assert json.loads(path.read_text().splitlines()[1])["doc"] == {"uid": "u1"}


@pytest.mark.parametrize("text", ["", "[]", "1", '"text"', "{}", "{"])
def test_what_is_no_document_is_refused_and_not_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "documents.jsonl"

    with pytest.raises(MessageError, match="no document with a uid"):
        DocumentLog(path).keep(document("start", text))

    assert not path.exists()
