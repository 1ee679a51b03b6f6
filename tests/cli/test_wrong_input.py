"""Wrong input: status 2, one line on standard error, and with ``--json`` the document of the error."""

from pathlib import Path

import pytest

from tests.cli.conftest import Flare
from tests.cli.worlds import EXAMPLES, federation, service, written

FIRST = str(EXAMPLES / "01-llm-inference.json")


@pytest.mark.parametrize(
    ("words", "path", "says"),
    [
        ("place", "", "INTENT"),
        ("place {first} --no-such-option", "", "--no-such-option"),
        ("place {first} --seed many", "", "--seed"),
        ("place {first} --seed -1", "seed", "from 0"),
        ("place {first} --workers 0", "workers", "from 1"),
        ("place {first} --time-limit 0", "time_limit", "above 0"),
        ("place {first} --effort nan", "effort", "above 0"),
        ("place {first} --weights cost", "weights", "cost=0.5,carbon=0.5"),
        ("place {first} --weights cost=a", "weights", "cost=0.5,carbon=0.5"),
        ("place {first} --weights cost=1,cost=2", "weights", "once"),
        ("place {first} --weights cost=nan", "weights", "number"),
        ("place {first} --weights speed=1", "weights.speed", "performance"),
        ("place {first} --weights cost=0", "weights", "above 0"),
        ("place {first} --priority =2", "priorities", "--priority my-service=2"),
        ("place {first} --priority nobody=2", "priorities.nobody", "name of an intent"),
        ("place {first} --origin Atlantis", "origin", "country code"),
        ("place {first} --origin 91,0", "origin", "latitude"),
        ("place {first} --now yesterday", "now", "date and time"),
        ("place {first} {first}", "workload.name", "no other intent"),
        ("place {folder}/absent.json", "{folder}/absent.json", "no file that can be read"),
        ("place {first} -i {folder}/absent.json", "{folder}/absent.json", "cannot be read"),
        ("place {first} -i {folder}/*.csv", "{folder}/*.csv", "no file of that pattern"),
        ("place {first} -i {folder}", "{folder}", "vms.csv"),
        ("place {first} --assume {folder}/absent.json", "{folder}/absent.json", "no file"),
        ("place {first} --assume {folder}/list.json", "assume", "object of providers"),
        ("place - -i -", "-", "at most once"),
        ("place {folder}/typo.json", "constraints.max_hourly_cots", "max_hourly_cost"),
        ("place {first} -i {folder}/catalog/x/vms.csv", "usd_eur", "--usd-eur 0.92"),
        ("inventory {folder}/absent.json", "{folder}/absent.json", "cannot be read"),
        ("inventory --convert {folder}/offers.xml", "convert", ".parquet"),
        ("inventory --convert {folder}/no/offers.csv", "convert", "cannot be written"),
        ("verify {folder}/list.json {first}", "{folder}/list.json", "document of a plan"),
        ("verify {folder}/broken.json {first}", "", "broken.json"),
        ("no-such-command", "", "no-such-command"),
    ],
)
def test_wrong_input_is_told_in_one_line_and_as_a_document(
    flare: Flare, tmp_path: Path, words: str, path: str, says: str
) -> None:
    folder = tmp_path / "in"
    (folder / "catalog" / "x").mkdir(parents=True)
    written(folder, "typo.json", service(max_hourly_cots="5 EUR"))
    written(folder, "list.json", [1])
    (folder / "broken.json").write_text("{")
    header = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice"
    (folder / "catalog" / "x" / "vms.csv").write_text(f"{header}\nbig,H100,1,8,64,2.5,eu-1,,\n")
    if words.endswith("-i {folder}"):
        (folder / "catalog" / "x" / "vms.csv").unlink()
    given = [word.format(first=FIRST, folder=folder) for word in words.split()]
    told = flare(*given)
    assert (told.status, told.out) == (2, "")
    line = told.err.splitlines()[-1]
    assert line.startswith("flare: ")
    assert says in line
    as_document = flare(*given, "--json")
    assert as_document.status == 2
    document = as_document.document
    assert sorted(document) == ["error_code", "message", "path", "status"]
    assert (document["status"], document["path"]) == ("error", path.format(folder=folder))
    assert document["error_code"] in ("INVALID_FORMAT", "MISSING_REQUIRED_FIELD")


def test_of_several_files_the_wrong_one_is_named(flare: Flare, tmp_path: Path) -> None:
    wrong = written(tmp_path, "wrong.json", service(max_hourly_cost="5 USD"))
    done = flare("place", FIRST, wrong)
    assert done.status == 2
    assert f"constraints.max_hourly_cost: {wrong}: " in done.err


def test_what_could_steer_a_terminal_is_not_printed(flare: Flare, tmp_path: Path) -> None:
    evil = service()
    evil["intent"]["workload"]["\x1b[2Jimage"] = 1
    done = flare("place", written(tmp_path, "evil.json", evil))
    assert done.status == 2
    assert "\x1b" not in done.err


def test_names_are_text_and_not_markup(flare: Flare, tmp_path: Path) -> None:
    document = federation()
    document["offers"][0]["provider"] = "[red]north[/red] :fire:"
    offers = written(tmp_path, "offers.json", document)
    shown = flare("place", written(tmp_path, "i.json", service()), "-i", offers)
    assert shown.status == 0
    assert "[red]north[/red] :fire:" in shown.out
