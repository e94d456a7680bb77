"""Documents point at what is there, every page can be found, no file says where it was made."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: What tools leave behind; a folder that begins with a dot is theirs too, but for ``.ci``.
LEFT_BEHIND = {"__pycache__", "build", "dist", "lithoscope-store", "test-artifacts"}
FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
#: Hosts that the code itself needs: a specification, and names that tests refuse.
# www.w3.org is in the name of SVG, threejs.org is where a vendored file is from: nobody is asked.
HOSTS = {
    *("127.0.0.1", "localhost", "ngff.openmicroscopy.org", "evil.example", "x"),
    *("www.w3.org", "threejs.org"),
}
# Spelt in pieces, so that this file passes too.
PLACES = re.compile(
    "|".join(
        (
            r"(?<![\w.])/(?:work|home/\w+|opt)" + r"/(?!lithoscope\b)",
            r"\bshared" + r"/(?:design|references|data|style)",
            r"\bclau" + r"de\b|\banth" + r"ropic\b|\bcopi" + r"lot\b",
        )
    ),
    re.IGNORECASE,
)
URL = re.compile(r"\bhttps?://[A-Za-z0-9._-]+")


def all_files(folder: Path = ROOT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        is_hidden = path.name.startswith(".") and path.name not in (".ci", ".gitignore")
        if is_hidden or path.name in LEFT_BEHIND or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from all_files(path)
        else:
            yield path


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    data = path.read_bytes()
    return "" if b"\0" in data[:8192] else data.decode(errors="replace")


def links_of(page: Path) -> list[str]:
    """Links and pictures of a page to files, without those in blocks of code."""
    return [
        link for link in LINK.findall(FENCE.sub("", text_of(page))) if not ELSEWHERE.match(link)
    ]


def heading_anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, spelt as forges spell them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def is_there(page: Path, link: str) -> bool:
    """Whether the file of a link exists in the repository, and its heading, if it names one."""
    file, _, anchor = unquote(link).partition("#")
    target = (page.parent / file).resolve() if file else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in heading_anchors(target)


PAGES = [path for path in all_files() if path.suffix == ".md"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_and_picture_of_a_page_is_there(page: Path) -> None:
    missing = [link for link in links_of(page) if not is_there(page, link)]

    assert missing == []


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](none.md) ![b](none.png) [c](https://x/)\n```\n[d](code.md)\n```\n")

    assert links_of(page) == ["none.md", "none.png"]
    assert not is_there(page, "none.md")


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links_of(index)}
    pages = {page for page in PAGES if page.is_relative_to(DOCS) and page != index}

    assert sorted(map(name_of, pages - linked)) == []


def test_every_picture_of_the_documentation_is_shown_somewhere() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links_of(page)}
    pictures = {each for each in (DOCS / "pictures").rglob("*") if each.is_file()}

    assert sorted(map(name_of, pictures - shown)) == []


def test_no_file_names_the_place_or_the_tools_it_was_made_with() -> None:
    found = [
        f"{name_of(path)}: {match.group()}"
        for path in all_files()
        for match in PLACES.finditer(text_of(path))
    ]

    assert found == []


def test_no_file_names_a_host_that_the_code_does_not_need() -> None:
    found = {
        f"{name_of(path)}: {url}"
        for path in all_files()
        for url in URL.findall(text_of(path))
        if url.partition("://")[2] not in HOSTS
    }

    assert sorted(found) == []
