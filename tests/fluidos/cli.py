"""The command line run in this process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.config.kubeconfig import SingleConfig

from flare_core.adapters.cli import main


@dataclass(frozen=True)
class Done:
    """What a run left behind."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """The objects printed as YAML."""
        return list(yaml.safe_load_all(self.out))

    @property
    def document(self) -> Any:
        """The JSON document printed."""
        return json.loads(self.out)


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Done:
    """Run ``flare fluidos`` with some words."""
    with pytest.raises(SystemExit) as left:
        main(["fluidos", *map(str, words)])
    captured = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return Done(left.value.code, captured.out, captured.err)


def kubeconfig(server: SingleConfig, folder: Path) -> Path:
    """A file that leads to a server, as kubectl reads it."""
    cluster: dict[str, Any] = {"server": server.cluster.server}
    if server.cluster.certificate_auth_data:
        cluster["certificate-authority-data"] = server.cluster.certificate_auth_data
    if server.cluster.certificate_auth:
        cluster["certificate-authority"] = server.cluster.certificate_auth
    if server.cluster.insecure:
        cluster["insecure-skip-tls-verify"] = True
    user: dict[str, Any] = {}
    if server.user is not None:
        user = {
            "token": server.user.token,
            "client-certificate": server.user.client_cert,
            "client-certificate-data": server.user.client_cert_data,
            "client-key": server.user.client_key,
            "client-key-data": server.user.client_key_data,
        }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {key: value for key, value in user.items() if value}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path
