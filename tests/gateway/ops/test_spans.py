"""Spans: nothing without the setting; with it they arrive at a collector, without what an intent holds."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.spans import NoSpans, spans_of
from flare_core.errors import OptionsError
from tests.cli.worlds import service
from tests.gateway.ops.served import served


class Collector(HTTPServer):
    """A collector of OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []

    def all(self) -> Iterator[Any]:
        for body in self.bodies:
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    yield from scope.spans

    def spans(self) -> dict[str, Any]:
        """The last span of each name."""
        return {span.name: span for span in self.all()}


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def test_spans_arrive_nested_and_below_their_caller(collector: Collector) -> None:
    spans = spans_of(Settings(otel=True))
    trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with spans.span("request", {"traceparent": f"00-{trace}-{caller}-01"}, method="GET"):
        with spans.span("solve", intents=3):
            pass
        spans.note(status=200)
    spans.close()
    found = collector.spans()
    request, solve = found["request"], found["solve"]
    assert request.trace_id.hex() == solve.trace_id.hex() == trace
    assert request.parent_span_id.hex() == caller
    assert solve.parent_span_id == request.span_id
    attributes = {each.key: each.value.string_value or each.value.int_value for each in request.attributes}
    assert attributes == {"flare.method": "GET", "flare.status": 200}


def test_a_gateway_tells_its_requests_and_searches(collector: Collector, tmp_path: Path) -> None:
    with served(tmp_path, FLARE_OTEL="true") as server:
        server.ready()
        token = server.token()
        headers = {"Authorization": f"Bearer {token}"}
        document = service("hunter2")
        made = httpx.post(f"{server.url}/api/v1/intents", json=document, headers=headers, timeout=60)
        assert made.status_code in (201, 202)
        assert server.stop() == 0
    found = collector.spans()
    assert "solve" in found
    routes = {
        each.value.string_value
        for span in collector.all()
        for each in span.attributes
        if each.key == "flare.route"
    }
    assert {"submitIntent", "ready"} <= routes
    assert not any(b"hunter2" in body or token.encode() in body for body in collector.bodies)


def test_a_failure_is_told_by_its_kind_and_not_by_its_words(collector: Collector) -> None:
    spans = spans_of(Settings(otel=True))
    with pytest.raises(ValueError, match="hunter2"), spans.span("request"):
        raise ValueError("hunter2")
    spans.close()
    assert collector.spans()["request"].status.message == "ValueError"
    assert not any(b"hunter2" in body for body in collector.bodies)


def test_a_parent_that_is_none_of_the_standard_is_no_parent(collector: Collector) -> None:
    spans = spans_of(Settings(otel=True))
    with spans.span("request", {"traceparent": "00-zz-zz-01\u202e"}):
        pass
    spans.close()
    assert not collector.spans()["request"].parent_span_id


def test_without_the_setting_there_are_none() -> None:
    spans = spans_of(Settings())
    assert isinstance(spans, NoSpans)
    with spans.span("request", {"traceparent": "x"}, method="GET"):
        spans.note(status=200)
    spans.close()


@pytest.mark.parametrize(("otel", "loaded"), [(False, "False"), (True, "True")])
def test_opentelemetry_is_loaded_only_where_it_is_turned_on(otel: bool, loaded: str) -> None:
    script = f"""
import sys
from flare_core.adapters.gateway.settings import Settings
from flare_core.adapters.gateway.spans import spans_of
spans_of(Settings(otel={otel})).close()
print(any(name.split(".")[0] == "opentelemetry" for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded


def test_without_the_extra_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(OptionsError, match=r"found no OpenTelemetry, expected the extra: flare-core\[otel\]"):
        spans_of(Settings(otel=True))
