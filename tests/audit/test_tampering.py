"""What somebody does to an exported file is found by the stand-alone verifier, which names the first bad record."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.chain import leaf
from bus.envelope import seal
from bus.identity import Identity, new_identity
from orchestrator.recording_file import Line
from orchestrator.standalone import verify_ledger
from orchestrator.standalone.verify_ledger import verify
from tests.audit.conftest import Files
from tests.replay.record import GOOD

Rows = list[dict[str, Any]]

UNSIGNED = ("version",)
"""What nobody signs: it says only who wrote the file."""


def rows_of(lines: Sequence[str]) -> Rows:
    return [json.loads(line) for line in lines]


def found_in(rows: Rows) -> dict[str, Any]:
    """The verdict on a file whose first line has been made to fit."""
    rows[0]["messages"] = len(rows) - 1
    return verify([json.dumps(row) for row in rows])


def place(rows: Rows, pattern: str, nth: int = 0) -> int:
    """Index of the line with the `nth` subject that `pattern` finds."""
    return [n for n, row in enumerate(rows) if re.search(pattern, _kind(row))][nth]


def _kind(row: dict[str, Any]) -> str:
    return "checkpoint" if "checkpoint" in row else row.get("subject", "")


def named(row: dict[str, Any]) -> str:
    """How the verifier names the record."""
    if "checkpoint" in row:
        return f"checkpoint {json.loads(row['checkpoint'])['number']}"
    return f"{row['stream']} {row['seq']}"


def reseal(row: dict[str, Any], by: Identity, name: str = "") -> None:
    """Have a message sealed by `by`, in the name of `name`."""
    fresh = seal(Identity(name or by.name, by.seed).signer(), row["subject"], row["body"].encode())
    row["headers"] |= fresh


def test_what_was_exported_is_verified(files: Files) -> None:
    """Either run, with the other's messages withheld, and the whole ledger."""
    for lines in (files.run, files.other):
        found = verify(lines)
        assert found["verified"], found
        assert (found["run"], found["foreign"]) == (json.loads(lines[0])["run"], 0)
        assert found["withheld"] > 50
        assert found["checkpoints"] > 5
    whole = verify(files.whole)
    assert (whole["verified"], whole["withheld"]) == (True, 0)
    assert whole["messages"] > verify(files.run)["messages"]


def test_only_the_key_that_is_trusted_will_do(files: Files) -> None:
    """Whoever makes a ledger of their own has a notary of their own."""
    key = json.loads(files.run[0])["notary"]
    assert verify(files.run, key)["verified"]
    found = verify(files.run, new_identity("notary").public)
    assert (found["verified"], "not signed by" in found["why"]) == (False, True)


Place = tuple[str, ...]


def scalars(value: Any, path: Place = ()) -> list[Place]:
    """Where there is a value that is no list and no object."""
    if isinstance(value, dict):
        return [each for name, below in value.items() for each in scalars(below, (*path, name))]  # pyright: ignore
    return [path]


def changed(value: Any, at: int) -> Any:
    """The same with one character, or by one, another."""
    if isinstance(value, str) and value:
        at %= len(value)
        return value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :]
    return value + 1 if isinstance(value, int) else "x"


def change(row: dict[str, Any], path: Place, at: int) -> None:
    *above, last = path
    for name in above:
        row = row[name]  # pyright: ignore
    row[last] = changed(row[last], at)  # pyright: ignore


def meaning(row: dict[str, Any]) -> dict[str, Any]:
    """A record as it is signed: of its time the instant, which can be written in more than one way."""
    try:
        return {**row, "stored_at": datetime.fromisoformat(row["stored_at"])}
    except (KeyError, ValueError):
        return row


def check_changed(lines: Sequence[str], n: int, path: Place, at: int) -> None:
    row = json.loads(lines[n])
    change(row, path, at)
    if meaning(row) == meaning(json.loads(lines[n])) or (n == 0 and path[0] in UNSIGNED):
        return
    found = verify([*lines[:n], json.dumps(row), *lines[n + 1 :]])
    assert not found["verified"], (n, path, at)
    if n and path[0] not in ("stream", "seq", "subject", "checkpoint", "seal"):
        stream, seq = found["record"].split()[0], row["seq"]
        covers = re.fullmatch(rf"{row['stream']} (\d+)( to (\d+)|.*)", found["record"])
        assert stream == row["stream"], (found, row)
        assert covers
        assert int(covers[1]) <= seq <= int(covers[3] or covers[1]), (found, row)


@pytest.mark.parametrize(
    "kind", [r"^run\..*started$", r"\.request$", r"\.decision$", "^call", "^result", "^checkpoint"]
)
def test_every_field_of_a_record_is_covered(files: Files, kind: str) -> None:
    """One character of it is enough, wherever: number, time, headers, the seal, the body."""
    n = place(rows_of(files.run), kind)
    for path in scalars(json.loads(files.run[n])):
        check_changed(files.run, n, path, 3)


def test_every_field_of_the_first_line_is_covered(files: Files) -> None:
    """But for the version of who wrote it."""
    for path in scalars(json.loads(files.run[0])):
        check_changed(files.run, 0, path, 3)


LOT = st.integers(0, 10**6)


@settings(max_examples=120, deadline=None)
@given(n=LOT, field=LOT, at=LOT)
def test_no_byte_of_a_message_can_be_changed(files: Files, n: int, field: int, at: int) -> None:
    """In any record, withheld ones too."""
    n = 1 + n % (len(files.run) - 1)
    paths = scalars(json.loads(files.run[n]))
    check_changed(files.run, n, paths[field % len(paths)], at)


@pytest.mark.parametrize("kind", [r"^run\.", r"\.decision$", "^call", "^result", "^checkpoint"])
def test_a_record_that_is_dropped_is_missed(files: Files, kind: str) -> None:
    """At the place where it should be."""
    rows = rows_of(files.run)
    gone = rows.pop(place(rows, kind, 1))
    found = found_in(rows)
    assert not found["verified"]
    if kind == "^checkpoint":
        assert re.search("should be here|no checkpoint", found["why"])
    else:
        assert named(gone) in found["record"] or f"message {gone['seq']} of it should be here" in found["why"]


def test_a_record_that_is_put_in_is_one_too_many(files: Files) -> None:
    """Twice the same, or one of another place."""
    for n, into in ((place(rows_of(files.run), "^result"), 1), (place(rows_of(files.run), r"^run\."), 2)):
        rows = rows_of(files.run)
        rows.insert(n + into, dict(rows[n]))
        found = found_in(rows)
        assert (found["verified"], found["record"].split()[:2]) == (False, named(rows[n]).split())


def test_two_records_cannot_change_places(files: Files) -> None:
    """Nor with each other's numbers: what a run decided has its number in it, and the chain has all."""
    rows = rows_of(files.run)
    one, other = place(rows, r"^run\.", 3), place(rows, r"^run\.", 4)
    rows[one], rows[other] = rows[other], rows[one]
    assert found_in([dict(row) for row in rows])["record"].startswith(named(rows[one]))
    rows[one]["seq"], rows[other]["seq"] = rows[other]["seq"], rows[one]["seq"]
    found = found_in(rows)
    assert (found["verified"], found["record"].startswith(named(rows[one]))) == (False, True)
    rows = rows_of(files.whole)
    one, other = [n for n, row in enumerate(rows) if row.get("stream") == "LEDGER_repository"][:2]
    rows[one]["seq"], rows[other]["seq"] = rows[other]["seq"], rows[one]["seq"]
    rows[one], rows[other] = rows[other], rows[one]
    found = found_in(rows)
    assert found["record"].startswith("LEDGER_repository 1 to "), found


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9])
def test_a_run_that_was_cut_short_is_not_whole(files: Files, left: float) -> None:
    """Cleanly, at a checkpoint, with a first line to match: the run has no end then, which only may be asked for."""
    rows = rows_of(files.run)
    ends = [n for n, row in enumerate(rows[1:], 1) if "checkpoint" in row]
    cut = ends[int(len(ends) * left)]
    assert not found_in(rows[: cut - 1])["verified"], "a message less than its checkpoint signs"
    rows = rows[:cut]
    roster = json.loads(rows[max(n for n in ends if n < cut)]["checkpoint"])["roster"]
    rows[0] |= {"roster": roster, "messages": len(rows) - 1}
    found = found_in(rows)
    assert found["record"] == "the file's end"
    assert "before its end" in found["why"]
    assert verify([json.dumps(row) for row in rows], unfinished=True)["verified"]


def test_messages_behind_the_last_checkpoint_are_not_signed(files: Files) -> None:
    """Checkpoints that are cut off take with them what they signed for."""
    rows = rows_of(files.run)
    last = max(n for n, row in enumerate(rows[1:], 1) if "checkpoint" in row)
    first_of_it = rows[last + 1]
    del rows[last]
    assert found_in(rows)["record"].startswith(named(first_of_it))


def test_the_last_records_of_a_ledger_cannot_be_cut_off(files: Files) -> None:
    """Its last checkpoint says how far it goes."""
    rows = rows_of(files.whole)
    gone = rows.pop()
    found = found_in(rows)
    assert (found["record"], found["why"]) == (named(gone), "it is missing")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"previous": "0" * 64}, "should be here"),
        ({"number": 7}, "should be here"),
        ({"at": "2001-01-01T00:00:00Z"}, "older"),
        ({"breaches": ["something is gone"]}, "damaged"),
    ],
)
def test_a_checkpoint_must_follow_the_one_before(files: Files, change: dict[str, Any], why: str) -> None:
    """Even where the notary itself has signed another one."""
    rows = rows_of(files.whole)
    row = rows[place(rows, "^checkpoint", 2)]
    row["checkpoint"] = json.dumps(json.loads(row["checkpoint"]) | change)
    signer = Identity("notary", files.seeds["notary"]).signer()
    row["seal"] = seal(signer, "notary.checkpoint", row["checkpoint"].encode())["Podium-Seal"]
    found = found_in(rows)
    assert (found["verified"], found["record"]) == (False, named(row))
    assert why in found["why"]


def test_two_runs_cannot_be_swapped(files: Files) -> None:
    """Neither by the name in the first line, nor line by line."""
    rows, others = rows_of(files.run), rows_of(files.other)
    rows[0]["run"] = others[0]["run"]
    assert found_in(rows)["why"] == "it is not of this run"
    rows = rows_of(files.run)
    n, m = place(rows, r"^run\..*\.started"), place(others, r"^run\..*\.started")
    rows[n] = {**others[m], "seq": rows[n]["seq"]}
    found = found_in(rows)
    assert (found["record"].startswith(named(rows[n])), found["why"]) == (True, "it is not of this run")


def test_a_sender_cannot_be_forged(files: Files) -> None:
    """With a key of nobody's, or with one's own, in one's own name or in another's."""
    mine = Identity("repository", files.seeds["repository"])
    for by, name in ((new_identity("x"), "orchestrator"), (mine, "orchestrator"), (mine, "repository")):
        rows = rows_of(files.run)
        row = rows[place(rows, r"^run\.", 5)]
        reseal(row, by, name)
        found = found_in(rows)
        assert (found["verified"], found["record"].startswith(named(row))) == (False, True)
        assert "not sealed by orchestrator" in found["why"]


def test_who_holds_a_senders_key_cannot_rewrite_what_the_notary_signed(files: Files) -> None:
    """A seal that holds is not enough: the chain has the message that was there then."""
    rows = rows_of(files.run)
    row = rows[place(rows, r"^run\..*step-finished", 2)]
    row["body"] = row["body"].replace('"ok":true', '"ok":false')
    reseal(row, Identity("orchestrator", files.seeds["orchestrator"]))
    found = found_in(rows)
    first, _, last = re.sub(r"^LEDGER_runs ", "", found["record"]).partition(" to ")
    assert int(first) <= row["seq"] <= int(last)
    assert "not what checkpoint" in found["why"]


@pytest.mark.parametrize("kind", [r"^run\..*step-finished", r"\.decision$", r"\.request$", "^call", "^result"])
def test_what_belongs_to_the_run_cannot_be_withheld(files: Files, kind: str) -> None:
    """Its digest in its place would satisfy the chain, but then the run has a hole."""
    rows = rows_of(files.run)
    n = place(rows, kind, 1)
    rows[n] = {**{key: rows[n][key] for key in ("stream", "seq")}, "leaf": leaf(Line(**rows[n]).stored()).hex()}
    found = found_in(rows)
    assert not found["verified"]
    assert found["record"].startswith("LEDGER_"), found


def test_an_old_approval_cannot_be_used_again(files: Files) -> None:
    """It is sealed for its gate and its run; put elsewhere, nobody has sealed it."""
    rows, others = rows_of(files.run), rows_of(files.other)
    n, m = place(rows, r"patches.*\.decision$"), place(others, r"patches.*\.decision$")
    rows[n]["body"] = others[m]["body"]
    rows[n]["headers"] = others[m]["headers"]
    found = found_in(rows)
    assert (found["verified"], found["record"].startswith(named(rows[n]))) == (False, True)
    assert "not sealed by" in found["why"]


def test_a_file_without_proof_is_said_to_have_none(files: Files) -> None:
    """As a Podium wrote them that had no notary."""
    found = verify(GOOD.read_text(encoding="utf-8").splitlines())
    assert (found["verified"], found["record"]) == (False, "line 1")
    assert "without a notary" in found["why"]
    assert verify(files.run[:1])["why"] == "there is no checkpoint in it"
    assert not verify([])["verified"]
    assert not verify(["nonsense"])["verified"]
    for nothing in ("null", "{}", "[]", "0"):
        assert not verify([*files.run, nothing])["verified"], "and whatever may come behind it"


def test_the_verifier_fits_in_a_head_and_needs_nothing_of_podium() -> None:
    """Less than 150 lines of code; the standard library and one library for signatures."""
    text = Path(verify_ledger.__file__).read_text(encoding="utf-8")
    tree = ast.parse(text)
    imports = {name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names}
    imports |= {str(each.module) for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    beyond = {name for name in imports if name.partition(".")[0] not in sys.stdlib_module_names}
    assert beyond == {"nacl.signing"}
    told = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    assert sum(bool(line.strip()) for line in told.splitlines()) < 150


def test_it_runs_where_there_is_no_podium(files: Files, tmp_path: Path) -> None:
    """As a script of its own; the exit code is the verdict."""
    script = shutil.copy(verify_ledger.__file__, tmp_path)
    (tmp_path / "run.jsonl").write_text("\n".join(files.run) + "\n")
    (tmp_path / "bad.jsonl").write_text("\n".join(files.run[:-1]) + "\n")
    for name, code in (("run.jsonl", 0), ("bad.jsonl", 1)):
        done = subprocess.run(
            [sys.executable, "-I", script, name], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, json.loads(done.stdout)["verified"]) == (code, not code), done.stderr
