"""Files of cyclers: tables as programs and people write them, and a real one of BioLogic."""

from pathlib import Path

import numpy as np
import pytest

from lithoscope_services.electrochemistry import find_gaps, find_pulses, read_cycler
from lithoscope_services.electrochemistry.headings import read_heading
from lithoscope_services.errors import SourceError

#: navani 0.1.22, example data (MIT): five cycles of a galvanostatic cell, by EC-Lab.
MPR = (
    Path(__file__).parents[4] / "shared" / "data" / "electrochemistry" / "navani_gcpl_5cycles.mpr"
)

TABLES = {
    "ours": "time_s,potential_V,current_mA\n0,3.4,0\n30,3.5,0.75\n",
    "EC-Lab": "time/s\tEwe/V\tI/mA\n0\t3.4\t0\n30\t3.5\t0.75\n",
    "decimal commas": "time_h;voltage_V;current_A\n0;3,4;0\n0,0083333333;3,5;0,00075\n",
    "German": "Prüfung 7\n\nZeit/s;Spannung / V;Strom [mA]\n0,0;3,40;0\n30,0;3,50;7,5E-1\n",
    "Neware": (
        "DataPoint,Step Type,Time,Total Time,Current(A),Voltage(V)\n"
        "1,Rest,0:00:00,0:00:00,0,3.4\n2,CC DChg,0:00:05,0:00:30,0.00075,3.5\n"
    ),
    "units below": "Test Time;Voltage;Current\ns;mV;µA\n0;3400;0\n30;3500;750\n",
    "quoted": '"Time (s)","Potential (V)","Current (mA)"\n"0","3,4","0"\n"30","3,5","0,75"\n',
    "charge alone": "time/s\tEwe/V\t(Q-Qo)/mA.h\n0\t3.4\t0\n30\t3.5\t0.00625\n",
    "left open": "time_s,potential_V,current_mA\n0,3.4,0\n30,3.5,0.75\n60,3.5\n\n",
}
#: What the cycler of a table wrote without a sign, or what only its charge tells.
CURRENTS = {"Neware": [0.0, -0.75], "charge alone": [0.75, 0.75]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_read_whatever_wrote_them(tmp_path: Path, kind: str, encoding: str) -> None:
    path = tmp_path / "cycler.txt"
    path.write_bytes(TABLES[kind].replace("\n", "\r\n").encode(encoding))

    record = read_cycler(path)

    np.testing.assert_allclose(record.time_s, [0.0, 30.0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(record.potential_V, [3.4, 3.5])
    np.testing.assert_allclose(record.current_mA, CURRENTS.get(kind, [0.0, 0.75]))


def test_what_was_done_to_a_table_is_said(tmp_path: Path) -> None:
    notes = {}
    for kind, text in TABLES.items():
        path = tmp_path / f"{kind}.txt"
        path.write_text(text, encoding="utf-8")
        notes[kind] = " ".join(read_cycler(path).notes)

    assert "slope" in notes["charge alone"]
    assert "discharge" in notes["Neware"]
    assert notes["left open"].startswith("1 rows")
    assert notes["ours"] == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("time_s,current_mA\n0,1\n1,1\n", "no potential"),
        ("time,potential_V,current\n0,3,1\n1,3,1\n", "no time and no current with a unit"),
        ("time_s,potential_V,current_mA\n5,3,1\n1,3,1\n", "falls after reading 1"),
        ("time_s,potential_V,current_mA\n0,3,x\n1,3,1\n", "line 2: 'x' in column 'current_mA'"),
        ("time_s,potential_V,current_mA\n0,0,3,4,0,7\n1,0,3,4,0,7\n", "export it with semicolons"),
        ("time_s,potential_V,current_mA\n0,3,1\n", "1 readings"),
        ("", "no time and no potential and no current"),
        ("PK\x00\x00", "no text"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "cycler.csv"
    path.write_text(text)

    with pytest.raises(SourceError, match=problem) as caught:
        read_cycler(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".ndax", ".res", ".xlsx"])
def test_other_programs_files_are_to_be_exported(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"cell{ending}"
    path.write_bytes(b"\x00")

    with pytest.raises(SourceError, match="export the readings"):
        read_cycler(path)


def test_a_broken_mpr_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("galvani", reason="pip install 'lithoscope[echem]' runs it")
    path = tmp_path / "cell.mpr"
    path.write_bytes(b"BIO-LOGIC MODULAR FILE\x1a" + bytes(100))

    with pytest.raises(SourceError, match="galvani cannot read it"):
        read_cycler(path)


@pytest.mark.parametrize(
    ("heading", "meaning"),
    [
        ("time/s", ("time", 1.0)),
        ("Total Time(h:min:s.ms)", ("time", 1.0)),
        ("Test_Time(min)", ("time", 60.0)),
        ("<I>/mA", ("current", 1.0)),
        ("Current [µA]", ("current", 1e-3)),
        ("Voltage (mV)", ("potential", 1e-3)),
        ("(Q-Qo)/mA.h", ("charge", 1.0)),
        ("Charge / C", ("charge", 1 / 3.6)),
        ("Capacity(mAh)", None),  # has no sign
        ("Energy/W.h", None),
        ("Current", ("current", None)),
    ],
)
def test_headings_say_quantity_and_unit(
    heading: str, meaning: tuple[str, float | None] | None
) -> None:
    found = read_heading(heading)

    assert (None if found is None else (found.quantity, found.factor)) == meaning


def test_a_time_of_which_nothing_was_written_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "cycler.csv"
    times = [*range(0, 600, 10), *range(4200, 4800, 10)]
    rows = "".join(f"{time},3.4,0.9\n" for time in times)
    path.write_text(f"time_s,potential_V,current_mA\n{rows}")

    (gap,) = find_gaps(read_cycler(path))

    assert (gap.begin_s, gap.end_s) == (590.0, 4200.0)
    assert gap.charge_mAh == pytest.approx(0.9 * 3610 / 3600)


@pytest.mark.skipif(not MPR.is_file(), reason="needs the shared data beside the repository")
def test_a_real_mpr_has_the_charge_that_the_cycler_counted() -> None:
    galvani = pytest.importorskip("galvani", reason="pip install 'lithoscope[echem]' runs it")

    record = read_cycler(MPR)

    with MPR.open("rb") as stream:
        counted = galvani.BioLogic.MPRfile(stream).data["(Q-Qo)/mA.h"]
    assert record.time_s.size == 46102
    # The cycler moved 11.17 mAh to and fro; steps of 10 s leave some of its turns uncertain.
    assert record.charge_mAh == pytest.approx(float(counted[-1]), abs=1e-4)
    pulses = find_pulses(record)
    assert len(pulses) == 13
    assert {round(abs(pulse.current_mA), 4) for pulse in pulses} <= {0.0888, 0.0887, 0.0886}
    assert find_gaps(record) == ()
    assert record.start_unix_s is not None
