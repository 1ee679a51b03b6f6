"""What is deployed: manifests that an API server takes, an image without root, and both fit the gateway."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from flare_core.adapters.gateway.app import routes
from flare_core.adapters.gateway.settings import Settings, load

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "docs" / "deploy"
BASE = DEPLOY / "kustomize"
VERSIONS = ("1.32", "1.36")
LABELS = {"app.kubernetes.io/name": "flare"}

KUSTOMIZATION: dict[str, Any] = yaml.safe_load((BASE / "kustomization.yaml").read_text())
MANIFESTS: dict[str, dict[str, Any]] = {
    document["kind"]: document
    for name in KUSTOMIZATION["resources"]
    for document in yaml.safe_load_all((BASE / name).read_text())
}
POD: dict[str, Any] = MANIFESTS["Deployment"]["spec"]["template"]["spec"]
CONTAINER: dict[str, Any] = POD["containers"][0]
ENV = {each["name"]: each for each in CONTAINER["env"]}


# --- the kustomize base ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_is_what_the_api_server_takes(kind: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[kind], version, strict=True)


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_misspelt_field_would_be_found(kind: str) -> None:
    wrong = {**MANIFESTS[kind], "specc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_every_file_of_the_base_is_part_of_it() -> None:
    listed = {*KUSTOMIZATION["resources"], *KUSTOMIZATION["configMapGenerator"][0]["files"]}
    assert {path.name for path in BASE.iterdir()} == listed | {"kustomization.yaml"}
    assert set(KUSTOMIZATION) <= {"apiVersion", "kind", "resources", "configMapGenerator"}


def test_selectors_find_the_pods() -> None:
    pods = MANIFESTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert pods == LABELS
    assert MANIFESTS["Deployment"]["spec"]["selector"]["matchLabels"] == LABELS
    assert MANIFESTS["Service"]["spec"]["selector"] == LABELS
    assert MANIFESTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == LABELS


def test_the_container_may_nothing_that_it_does_not_need() -> None:
    assert POD["securityContext"] | {"runAsNonRoot": True, "runAsUser": 10001} == POD["securityContext"]
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert MANIFESTS["ServiceAccount"]["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(POD)
    assert POD["enableServiceLinks"] is False  # FLARE_PORT=tcp://… of a Service named flare is no port
    assert {*CONTAINER["resources"]["requests"], *CONTAINER["resources"]["limits"]} == {"cpu", "memory"}


def test_secrets_are_only_named() -> None:
    assert "Secret" not in MANIFESTS
    assert ENV["FLARE_STORE_URL"]["valueFrom"]["secretKeyRef"]["name"] == "flare"
    assert "value" not in ENV["FLARE_STORE_URL"]
    texts = "".join(path.read_text() for path in BASE.iterdir())
    assert "flr_" not in texts


def test_probes_ask_for_what_the_gateway_answers_without_a_token() -> None:
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    paths = {route.path for route in routes()}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = CONTAINER[name]["httpGet"]
        assert asked["path"] in paths & {"/healthz", "/readyz"}
        assert asked["port"] in ports
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/readyz"
    # A store that is out of reach is no reason to start again.
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert MANIFESTS["Service"]["spec"]["ports"][0]["targetPort"] in ports
    assert MANIFESTS["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"] in ports


def test_every_mount_has_its_volume_and_every_file_is_on_one() -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in POD["volumes"]}
    for name in ("FLARE_CONFIG", "FLARE_BOOTSTRAP_TOKEN_FILE"):
        path = Path(ENV[name]["value"])
        assert str(path.parent) in mounts.values()
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert volumes["config"]["configMap"]["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]
    assert volumes["books"]["persistentVolumeClaim"]["claimName"] == "flare"


def test_its_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, each in (IMAGE_ENV | {n: e["value"] for n, e in ENV.items() if "value" in e}).items():
        if name.startswith("FLARE_"):
            monkeypatch.setenv(name, each)
    found = load(BASE / "flare.toml")
    assert not found.unknown
    settings = found.settings
    assert settings.port == CONTAINER["ports"][0]["containerPort"]
    assert settings.host == "0.0.0.0"  # noqa: S104  # in a container there is nothing else to listen on
    waits_s = settings.stop_timeout_s + CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] > waits_s
    assert settings.workers * (300 + 2 * settings.solver_memory_mib) <= 3 * 1024
    assert CONTAINER["resources"]["limits"]["memory"] == "3Gi"


def test_nothing_is_reached_but_names_and_the_store() -> None:
    egress = MANIFESTS["NetworkPolicy"]["spec"]["egress"]
    assert sorted(port["port"] for rule in egress for port in rule["ports"]) == [53, 53, 5432]
    assert all(rule["to"] for rule in egress)
    assert MANIFESTS["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


# --- the container file ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word and what stands after it."""

    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        return self.rest.split()


KNOWN = {
    *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "LABEL", "RUN", "SHELL", "STOPSIGNAL"),
    *("USER", "VOLUME", "WORKDIR", "ADD", "HEALTHCHECK", "ONBUILD"),
}


def parsed(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a container file: comments dropped, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Instruction(word.upper(), re.sub(r"\s+", " ", rest.strip()))


def linted(text: str) -> Iterator[str]:
    """Yield what is wrong with a container file."""
    found = list(parsed(text))
    stages: set[str] = set()
    arguments = {i.rest.partition("=")[0]: i.rest.partition("=")[2] for i in found if i.word == "ARG"}
    for each in found:
        if each.word not in KNOWN:
            yield f"no instruction: {each.word}"
        if each.word == "ADD":
            yield "ADD unpacks and downloads; COPY does neither"
        if each.word == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda m: arguments.get(m[1], ""), each.words[0])
            if image not in stages and (":" not in image or image.endswith(":latest")):
                yield f"no version: {image or each.rest}"
            stages |= {each.words[2]} if len(each.words) == 3 else set()
        if each.word == "COPY" and each.rest.startswith("--from="):
            if each.words[0].removeprefix("--from=") not in stages:
                yield f"no stage: {each.words[0]}"
        elif each.word == "COPY":
            yield from (f"not there: {path}" for path in each.words[:-1] if not (ROOT / path).exists())
        if each.word in ("ENTRYPOINT", "CMD") and not each.rest.startswith("["):
            yield f"a shell would get the signals: {each.rest}"
        if each.word in ("ENV", "ARG") and re.search(r"(?i)token=|secret|password", each.rest):
            yield f"a secret in the image: {each.word}"
        if each.word == "RUN" and "pip install" in each.rest and "--no-cache-dir" not in each.rest:
            yield "pip keeps its downloads"
        if each.word == "RUN" and re.search(r"\b(curl|wget)\b", each.rest):
            yield "something is downloaded that nobody has checked"
    if "PYTHONDONTWRITEBYTECODE" in text and "UV_COMPILE_BYTECODE=1" not in text:
        yield "every process compiles every module again"
    last = [i.rest for i in found if i.word == "USER"][-1:]
    if not last or not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", last[0]):
        yield f"not a number of somebody else than root: {last}"


IMAGE = (DEPLOY / "Containerfile").read_text()
INSTRUCTIONS = list(parsed(IMAGE))
IMAGE_ENV = {
    name: value
    for i in INSTRUCTIONS
    if i.word == "ENV"
    for name, _, value in (pair.partition("=") for pair in i.words)
}


def test_the_image_is_in_order() -> None:
    assert list(linted(IMAGE)) == []


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("RUM", "RUN", "no instruction: RUM"),
        ("ADD flare_core", "COPY flare_core", "ADD unpacks"),
        ("ARG BASE=python", "ARG BASE=python:3.12-slim", "no version: python"),
        ("--from=builder", "--from=build", "no stage: --from=builder"),
        ("COPY flare_cora", "COPY flare_core", "not there: flare_cora"),
        ("ENTRYPOINT flare serve", 'ENTRYPOINT ["flare", "serve"]', "a shell would get"),
        ("pip install", "pip install --no-cache-dir", "pip keeps"),
        (" UV_COMPILE_BYTECODE=0", " UV_COMPILE_BYTECODE=1", "every process compiles"),
        ("USER root", "USER 10001:10001", "not a number"),
        ("USER 0", "USER 10001:10001", "not a number"),
        ("FLARE_TOKEN=x FLARE_PORT", "FLARE_PORT", "a secret in the image"),
    ],
)
def test_what_is_wrong_with_an_image_is_found(wrong: str, right: str, said: str) -> None:
    assert right in IMAGE
    assert any(each.startswith(said) for each in linted(IMAGE.replace(right, wrong)))


def test_the_image_fits_the_base_and_the_package() -> None:
    by_word = {i.word: i for i in INSTRUCTIONS}
    user, _, group = by_word["USER"].rest.partition(":")
    assert (int(user), int(group)) == (
        POD["securityContext"]["runAsUser"],
        POD["securityContext"]["runAsGroup"],
    )
    assert json.loads(by_word["ENTRYPOINT"].rest) == ["flare", "serve"]
    assert by_word["STOPSIGNAL"].rest == "SIGTERM"
    assert by_word["EXPOSE"].rest == IMAGE_ENV["FLARE_PORT"]
    assert Settings(store_url=IMAGE_ENV["FLARE_STORE_URL"]).store_url.endswith("////var/lib/flare/flare.db")
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert by_word["VOLUME"].rest == mounts["books"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(re.findall(r"--extra (\w+)", IMAGE))
    assert {"cli", "gateway", "postgres"} <= extras <= project["optional-dependencies"].keys()
    assert CONTAINER["image"] == f"flare:{project['version']}"
