"""Each field at its edge: what it takes, what it becomes, and what it refuses."""

from datetime import UTC, date, datetime, time

import pytest

from flare_core.catalog import gpus
from flare_core.errors import ErrorCode, IntentError
from flare_core.intent import field_paths, read_intent
from tests.intent.documents import read_value, service, with_value

DIGEST = "sha256:" + "0123456789abcdef" * 4
MANY = 2**31 - 1
NOT_BOOLEANS: list[object] = [1, 0, "true", "false", None, []]
NOT_COUNTS: list[object] = [-1, 1.0, 1.5, "1", "two", True, False, None, [1], {"n": 1}, MANY + 1]
NOT_TEXTS: list[object] = [1, 1.5, True, None, ["a"], {"a": "b"}]
NOT_WORDS: list[object] = [*NOT_TEXTS, "", " ", " a", "a ", "a\nb", "a\x1bb", "a" * 257]
NOT_NUMBERS: list[object] = [-1, "x", "", "1e", True, None, [], "1,5", "NaN", "inf"]
NOT_LATENCIES: list[object] = [*NOT_NUMBERS, "50 parsecs", -0.1]
FLAGS: tuple[str, ...] = (
    "workload.resources.gpu.shared",
    "workload.resources.gpu.interruptible",
    "workload.resources.gpu.multi_instance",
    "workload.resources.gpu.dedicated",
    "constraints.preemptible",
    "constraints.energy.renewable_energy_only",
    "constraints.energy.green_certified_only",
    "constraints.compliance.encryption_at_rest",
    "constraints.compliance.encryption_in_transit",
    "constraints.compliance.audit_logging",
    "constraints.compliance.gdpr_compliant",
    "constraints.compliance.hipaa_compliant",
    "constraints.security.vpn_access",
    "constraints.security.bastion_host",
    "constraints.security.intrusion_detection",
    "constraints.security.vulnerability_scanning",
    "workload.scaling.auto_scale",
    "workload.ports.0.expose",
)

# path: (values it takes with what they become, values it refuses)
FIELDS: dict[str, tuple[list[tuple[object, object]], list[object]]] = {
    "objective": (
        [
            (name, name)
            for name in (
                "Cost_Minimization",
                "Performance_Maximization",
                "Latency_Minimization",
                "Balanced_Optimization",
                "Energy_Efficiency",
            )
        ],
        [*NOT_TEXTS, "Cheapest", "cost_minimization", "any", ""],
    ),
    "workload.type": (
        [("service", "service"), ("job", "job"), ("batch", "batch")],
        [*NOT_TEXTS, "Service", "any"],
    ),
    "workload.name": (
        [("a", "a"), ("a-1", "a-1"), ("1a", "1a"), ("a" * 63, "a" * 63)],
        [*NOT_TEXTS, "", "A", "My_Service", "-a", "a-", "a.b", "a" * 64, "ü", "a\n", "a b"],
    ),
    "workload.image": (
        [
            (image, image)
            for image in (
                "a",
                "spark-gpu:3.4.0",
                "lmsysorg/sglang:latest",
                "nvcr.io/nvidia/pytorch:24.01-py3",
                "localhost:5000/a/b_c/d__e/f--g/h.i:T_a.g-1",
                f"r.io/a@{DIGEST}",
                f"a:1@{DIGEST}",
                "[2001:db8::1]:5000/a",
                "a:" + "t" * 128,
                "127.0.0.1/a",
            )
        ],
        [
            *NOT_TEXTS,
            *(
                "",
                " a",
                "a b",
                "a:",
                ":1",
                "/a",
                "a/",
                "a//b",
                "A",
                "a:-",
                "a:b:c",
                "a@sha256:12",
                "a_-b",
                "a..b",
            ),
            *(
                "a___b",
                "-a",
                "a-",
                "https://r.io/a",
                "a\n",
                "a;rm",
                "a$(b)",
                "../a",
                "a:" + "t" * 129,
                "ü",
                "a" * 600,
            ),
        ],
    ),
    "workload.commands": (
        [([], ()), (["a b", ""], ("a b", "")), (["$(x) ; `y`"], ("$(x) ; `y`",))],
        ["serve", [1], [None], {}, None, ["x"] * 10_001],
    ),
    "workload.env": (
        [
            ([], ()),
            (["A=1", "B_2=x=y", "_C=", "a.b-c=ü\n"], ("A=1", "B_2=x=y", "_C=", "a.b-c=ü\n")),
        ],
        [
            ["A"],
            ["=1"],
            ["2B=x"],
            ["A B=1"],
            [" A=1"],
            [".A=1"],
            ["Ü=1"],
            [1],
            {"A": "1"},
            "A=1",
            ["A=1", "A=2"],
        ],
    ),
    "workload.ports.0.port": ([(1, 1), (65535, 65535)], [0, 65536, -1, "80", 80.0, True, None]),
    "workload.ports.0.protocol": ([("TCP", "TCP"), ("UDP", "UDP")], ["tcp", "SCTP", "any", None, 6]),
    "workload.ports.0.domain": (
        [
            (name, name)
            for name in ("a.example.com", "A-1.example.org", "localhost", "a" * 63 + ".b", "1.2.3.x4")
        ],
        [
            *NOT_TEXTS,
            *("", "a_b.com", "-a.com", "a-.com", "a..com", ".a.com", "a.com.", "a b", "ü.de", "http://a.com"),
            *(
                "a" * 64 + ".b",
                "1.2.3.4",
                "2852039166",
                "a@b",
                "a.com:80",
                "a.com/x",
                "a\r\nb",
                "[::1]",
                "*.a.com",
            ),
            ".".join(["a" * 49] * 5 + ["abcde"]),
        ],
    ),
    "workload.resources.cpu": (
        [("8", 8000), ("4.5", 4500), ("500m", 500), (8, 8000), (4.5, 4500), ("0.0001", 1), ("0", 0)],
        ["", "lots", "-1", -1, True, None, "8 cores", [], "1e30"],
    ),
    "workload.resources.memory": (
        [("32Gi", 32768), ("1Ti", 2**20), ("81920Mi", 81920), ("1", 1), (2**20, 1), ("80G", 76294)],
        ["", "lots", "-1Gi", True, None, "32 Gb", "32gib", {}, "1e30Gi"],
    ),
    "workload.resources.gpu.model": (
        [
            (name, name)
            for name in (
                "any",
                "nvidia-h100",
                "amd-rx-7900xtx",
                "nvidia-x9000",
                "intel-max-1550",
                "alibaba-g2",
                "amd-" + "x" * 60,
            )
        ],
        [
            *NOT_TEXTS,
            "",
            "h100",
            "NVIDIA H100",
            "nvidia",
            "nvidia-",
            "Nvidia-h100",
            "tesla-v100",
            "A100-80GB",
            "none",
            "amd-" + "x" * 61,
        ],
    ),
    "workload.resources.gpu.count": ([(0, 0), (1, 1), (8, 8), (MANY, MANY)], NOT_COUNTS),
    "workload.resources.gpu.memory": (
        [("80Gi", 81920), ("81920Mi", 81920), (2**30, 1024)],
        ["GB", "80GB", True, None],
    ),
    "workload.resources.gpu.cores": ([(0, 0), (1024, 1024)], NOT_COUNTS),
    "workload.resources.gpu.clock_speed": (
        [("1.5G", 1500.0), ("1980MHz", 1980.0)],
        ["1.5", 1.5, "fast", None, True],
    ),
    "workload.resources.gpu.compute_capability": (
        [
            ("8.0", 8.0),
            ("8.9", 8.9),
            ("10.0", 10.0),
            (9.0, 9.0),
            (8.6, 8.6),
            (9, 9.0),
            ("9", 9.0),
            ("any", None),
        ],
        ["", "x", "8.", ".6", "8.61", "sm_90", "-8.0", -8.0, True, None, "100", 8.61, "8,6", "8.6\n", [8.0]],
    ),
    "workload.resources.gpu.architecture": (
        [(name, name) for name in (*gpus.ARCHITECTURES, "any")],
        [*NOT_TEXTS, "Hopper", "hoper", "ada", ""],
    ),
    "workload.resources.gpu.tier": (
        [(name, name) for name in (*gpus.TIERS, "any")],
        [*NOT_TEXTS, "Premium", "best", ""],
    ),
    "workload.resources.gpu.interconnect": (
        [(name, name) for name in (*gpus.INTERCONNECTS, "any")],
        [*NOT_TEXTS, "NVLink", "ethernet", "none", ""],
    ),
    "workload.resources.gpu.topology": (
        [(name, name) for name in ("all-to-all", "nvswitch", "ring", "mesh", "any")],
        [*NOT_TEXTS, "torus", "all_to_all", ""],
    ),
    "workload.resources.gpu.fp32_tflops": ([("19.5", 19.5), (83, 83.0), ("0", 0.0)], NOT_NUMBERS),
    "workload.resources.gpu.multi_gpu_efficiency": (
        [("0.95", 0.95), (0.85, 0.85), (0, 0.0), (1, 1.0)],
        [*NOT_NUMBERS, 1.01, "95%"],
    ),
    "workload.storage.volumes.0.name": ([("v", "v")], [*NOT_TEXTS, "V", "", "a/b"]),
    "workload.storage.volumes.0.size": (
        [("100Gi", 102400), ("1Ti", 2**20), ("1", 1)],
        ["0", "x", "-1Gi", True, None],
    ),
    "workload.storage.volumes.0.type": (
        [("persistent",) * 2, ("temporary",) * 2],
        ["Persistent", "ssd", None, 1],
    ),
    "workload.storage.volumes.0.path": (
        [(path, path) for path in ("/d", "/root/.cache", "/a b/c/", "/a..b/...", "/" + "a" * 4095)],
        [
            *NOT_TEXTS,
            "",
            "/",
            "d",
            "./d",
            "/..",
            "/a/../b",
            "/a/.",
            "/a//b",
            "//a",
            "/a:b",
            "/a\nb",
            "/" + "a" * 4096,
        ],
    ),
    "workload.storage.volumes.0.source.type": ([("s3", "s3")], ["gcs", "azure", "S3", "http", None, 1]),
    "workload.storage.volumes.0.source.uri": (
        [("s3://bucket",) * 2, ("s3://bucket/a/b?c",) * 2],
        [
            *NOT_TEXTS,
            "",
            "s3:",
            "s3://",
            "s3:///a",
            "S3://a",
            "gs://a",
            "http://a",
            "a/b",
            "s3://a b",
            "s3://a\n",
        ],
    ),
    "workload.storage.volumes.0.source.credentials": (
        [("aws-readonly",) * 2, ("a.b",) * 2],
        [*NOT_TEXTS, "", "A", "a b"],
    ),
    "workload.secrets.0.name": ([("hf-token",) * 2, ("a.b",) * 2], [*NOT_TEXTS, "", "HF", "a/b", ".a"]),
    "workload.secrets.0.env": ([("HF_TOKEN",) * 2], [*NOT_TEXTS, "", "2A", "A=B", "A B"]),
    "workload.scaling.min_replicas": ([(1, 1), (10, 10), (11, 11)], [*NOT_COUNTS, 0]),
    "workload.scaling.max_replicas": ([(1, 1), (MANY, MANY)], [*NOT_COUNTS, 0]),
    "workload.scaling.target_cpu_percent": ([(1, 1), (100, 100)], [0, 101, "70", 70.0, "70%", True, None]),
    "workload.scaling.target_gpu_percent": ([(1, 1), (100, 100)], [0, 101, "80", 80.0, "80%", True, None]),
    "workload.job.parallel_tasks": ([(1, 1), (20, 20)], [*NOT_COUNTS, 0]),
    "workload.job.max_retries": ([(0, 0), (3, 3)], NOT_COUNTS),
    "workload.job.timeout": (
        [("6h", 21600), ("1h30m", 5400), ("2h 15m", 8100), ("1s", 1)],
        ["0s", "soon", "6", 6, "-1h", "", True, None],
    ),
    "workload.job.completion_policy": ([("All", "All"), ("Any", "Any")], ["all", "any", "Some", None, True]),
    "constraints.max_hourly_cost": (
        [("10 EUR", 10**7), ("0.45 EUR/hour", 450_000), ("0.0000009 EUR", 0), ("2.40 EUR/day", 100_000)],
        ["10 USD", "10", 10, "EUR", "-1 EUR", "10 EUR/month", True, None, "\u20ac10"],
    ),
    "constraints.max_total_cost": ([], ["10 USD", "10", 10, "10 EUR/hour", "-1 EUR", None]),
    "constraints.location": (
        [(name, name) for name in ("EU", "any", "DE", "eu-west", "eu-west-1")],
        NOT_WORDS,
    ),
    "constraints.availability_zone": ([("eu-west-1b",) * 2], NOT_WORDS),
    "constraints.max_latency_ms": (
        [(100, 100.0), ("50ms", 50.0), (0.5, 0.5), ("0.05s", 50.0)],
        NOT_LATENCIES,
    ),
    "constraints.max_network_latency": ([("50ms", 50.0), (50, 50.0)], NOT_LATENCIES),
    "constraints.deadline": (
        [
            ("2026-01-15T12:30:00Z", datetime(2026, 1, 15, 12, 30, tzinfo=UTC)),
            ("2026-01-15T12:30:00+01:00", datetime(2026, 1, 15, 11, 30, tzinfo=UTC)),
            ("2026-01-15T12:30:00", datetime(2026, 1, 15, 12, 30, tzinfo=UTC)),
        ],
        [
            "tomorrow",
            "2026-01-15",
            "",
            1768480200,
            None,
            True,
            "2026-02-30T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
        ],
    ),
    "constraints.providers": (
        [([], ()), (["AWS", "gcp"], ("AWS", "gcp"))],
        ["aws", [""], [1], [None], None, {}],
    ),
    "constraints.availability.timezone": (
        [(zone, zone) for zone in ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "Etc/GMT+5")],
        [
            *NOT_TEXTS,
            "",
            "Europe/Berlim",
            "europe/berlin",
            "../etc/passwd",
            "/etc/localtime",
            "localtime",
            "Europe",
            "CEST",
        ],
    ),
    "constraints.availability.days_of_week": (
        [(["Mon"], ("Mon",)), (["Sat", "Sun"], ("Sat", "Sun"))],
        [[], ["Mon", "Xyz"], ["mon"], ["Monday"], [1], "Mon", None],
    ),
    "constraints.availability.blackout_dates": (
        [([], ()), (["2026-01-20"], (date(2026, 1, 20),)), (["2028-02-29"], (date(2028, 2, 29),))],
        [
            ["2026-02-29"],
            ["20260120"],
            ["2026-W04-2"],
            ["2026-01-20T00:00:00Z"],
            ["soon"],
            [20260120],
            "2026-01-20",
            None,
        ],
    ),
    "constraints.availability.maintenance_windows.0.start": (
        [("2026-01-04T03:59:59Z", datetime(2026, 1, 4, 3, 59, 59, tzinfo=UTC))],
        ["2026-01-04T04:00:00Z", "2026-01-04T05:00:00Z", "02:00", None],
    ),
    "constraints.availability.maintenance_windows.0.end": (
        [("2026-01-04T02:00:01Z", datetime(2026, 1, 4, 2, 0, 1, tzinfo=UTC))],
        ["2026-01-04T02:00:00Z", "2026-01-04T01:00:00Z", "04:00", None],
    ),
    "constraints.availability.maintenance_windows.0.frequency": (
        [("weekly", "weekly"), ("monthly", "monthly")],
        ["daily", "Weekly", None, 7],
    ),
    "constraints.negotiation.max_negotiation_rounds": ([(1, 1)], [*NOT_COUNTS, 0]),
    "constraints.negotiation.price_flexibility": ([(0, 0.0), (1, 1.0), ("0.15", 0.15)], [*NOT_NUMBERS, 1.01]),
    "constraints.negotiation.resource_flexibility": ([(0, 0.0), (1, 1.0)], [*NOT_NUMBERS, 1.01]),
    "constraints.negotiation.timeout_seconds": ([(1, 1), (300, 300)], [*NOT_COUNTS, 0]),
    "constraints.negotiation.fallback_strategy": (
        [(name, name) for name in ("queue", "lower_tier", "shared", "spot", "fail")],
        ["none", "Queue", None, 1],
    ),
    "constraints.negotiation.auto_accept_threshold": ([(0, 0.0), (1, 1.0)], [*NOT_NUMBERS, 1.01]),
    "constraints.energy.max_carbon_footprint": (
        [("50g CO2/h", 50.0), ("0.2kg CO2/h", 200.0)],
        ["50", 50, "50g", "50g CO2", "-1g CO2/h", None],
    ),
    "constraints.energy.energy_efficiency_rating": (
        [(letter, letter) for letter in "ABCDEF"],
        ["a", "G", "A+", None],
    ),
    "constraints.energy.power_usage_effectiveness": (
        [(1, 1.0), (1.4, 1.4), ("1.4", 1.4)],
        [*NOT_NUMBERS, 0.99, 0],
    ),
    "constraints.compliance.data_residency": (
        [(["EU", "Japan", "DE", "any"], ("EU", "Japan", "DE", "any")), ([], ())],
        [["Europe"], ["eu-west-1"], ["de"], [""], "EU", [None], None],
    ),
    "constraints.compliance.certifications": (
        [(["ISO27001", "SOC 2"], ("ISO27001", "SOC 2"))],
        ["ISO27001", [""], [1], None],
    ),
    "constraints.performance.min_network_bandwidth": (
        [("10Gbps", 10.0), ("600 GB/s", 4800.0)],
        [10, "10", "fast", None],
    ),
    "constraints.performance.max_jitter_ms": ([(10, 10.0), ("10ms", 10.0)], NOT_LATENCIES),
    "constraints.performance.min_uptime_percent": (
        [(99.9, 99.9), ("99.9%", 99.9), (0, 0.0), (100, 100.0)],
        [-1, 100.1, "x"],
    ),
    "constraints.performance.max_cold_start_time": ([("30s", 30), ("0s", 0)], [30, "30", "soon", None]),
    "constraints.security.network_isolation": (
        [("public",) * 2, ("private",) * 2],
        ["Private", "none", None, True],
    ),
    "constraints.security.firewall_rules.0.port": (
        [(1, 1), (65535, 65535)],
        [0, 65536, "22", 22.0, True, None],
    ),
    "constraints.security.firewall_rules.0.protocol": ([("TCP",) * 2, ("UDP",) * 2], ["tcp", "ICMP", None]),
    "constraints.security.firewall_rules.0.source": (
        [(net, net) for net in ("10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "2001:db8::/32", "::/0")],
        [
            *NOT_TEXTS,
            *(
                "10.0.0.0/33",
                "10.0.0.1/8",
                "10.0.0.0",
                "10.0.0.0/",
                "10.0.0.0/255.0.0.0",
                "256.0.0.0/8",
                "any",
                "",
            ),
            *("10.0.0.0/-1", "10.0.0.0/8 ", "010.0.0.0/8", "::1/129", "fe80::%eth0/64", "2001:db8::1/32"),
        ],
    ),
    "constraints.security.firewall_rules.0.action": (
        [("allow",) * 2, ("deny",) * 2],
        ["Allow", "drop", None],
    ),
    "sla.availability": ([("99.9%", 99.9), (95, 95.0), ("100%", 100.0)], ["101%", -1, "high", None, True]),
    "sla.max_interruption_time": ([("2m", 120), ("0s", 0)], [2, "2", "-1m", None]),
    "sla.backup_strategy": ([(name, name) for name in ("none", "daily snapshots")], NOT_WORDS),
    **{flag: ([(True, True), (False, False)], NOT_BOOLEANS) for flag in FLAGS},
}

TAKEN = [(path, written, parsed) for path, (taken, _) in FIELDS.items() for written, parsed in taken]
REFUSED = [(path, value) for path, (_, refused) in FIELDS.items() for value in refused]


@pytest.mark.parametrize(("path", "written", "parsed"), TAKEN)
def test_a_field_takes_its_values(path: str, written: object, parsed: object) -> None:
    value = read_value(path, written)
    assert value == parsed
    assert type(value) is type(parsed)


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_a_field_refuses_everything_else_at_its_path(path: str, value: object) -> None:
    with pytest.raises(IntentError) as caught:
        read_intent(with_value(path, value))
    error = caught.value
    assert error.code is ErrorCode.INVALID_FORMAT
    assert error.path in blamed(path) or error.path.startswith(f"{path}.")
    assert error.message.startswith("found ")
    assert ", expected " in error.message


def blamed(path: str) -> set[str]:
    """Return the paths that may carry the blame: of two fields that contradict each other, either."""
    pairs = (("start", "end"), ("type", "uri"))
    parent, _, name = path.rpartition(".")
    return {path} | {f"{parent}.{other}" for pair in pairs if name in pair for other in pair}


def test_every_field_of_the_schema_is_tried() -> None:
    tried = {path.replace(".0.", ".*.") for path in FIELDS} | {
        "constraints.availability.window_start",
        "constraints.availability.window_end",
    }
    assert set(field_paths()) <= tried


@pytest.mark.parametrize(
    ("start", "end"), [("09:00", "17:00"), ("22:00", "06:00"), ("00:00", "23:59"), ("00:01", "00:00")]
)
def test_a_window_has_a_start_and_an_end(start: str, end: str) -> None:
    asked = {"window_start": start, "window_end": end}
    availability = read_intent(service(constraints__availability=asked)).constraints.availability
    assert availability is not None
    assert (availability.window_start, availability.window_end) == (
        time.fromisoformat(start),
        time.fromisoformat(end),
    )


@pytest.mark.parametrize(
    ("start", "end", "blamed"),
    [
        ("9:00", "17:00", "window_start"),
        ("09:00", "24:00", "window_end"),
        ("09:00", "17:60", "window_end"),
        ("09:00:00", "17:00", "window_start"),
        ("09:00", 17, "window_end"),
        ("09:00", "5 pm", "window_end"),
        ("09:00", "09:00", "window_end"),
    ],
)
def test_a_window_that_is_none_is_refused(start: str, end: object, blamed: str) -> None:
    with pytest.raises(IntentError) as caught:
        read_intent(service(constraints__availability={"window_start": start, "window_end": end}))
    assert caught.value.path == f"constraints.availability.{blamed}"


@pytest.mark.parametrize("alone", ["window_start", "window_end"])
def test_half_a_window_is_refused(alone: str) -> None:
    with pytest.raises(IntentError) as caught:
        read_intent(service(constraints__availability={alone: "09:00"}))
    assert caught.value.path == f"constraints.availability.{alone}"


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("s3", "s3://b/x"),
        ("gcs", "gs://b/x"),
        ("azure", "az://c/x"),
        ("azure", "azure://c/x"),
        ("azure", "abfs://c@account.dfs.core.windows.net/x"),
        ("azure", "abfss://c@account.dfs.core.windows.net/x"),
        ("azure", "wasb://c@account.blob.core.windows.net/x"),
        ("azure", "wasbs://c@account.blob.core.windows.net/x"),
        ("azure", "https://account.blob.core.windows.net/c/x"),
    ],
)
def test_a_source_takes_the_schemes_of_its_type_only(kind: str, uri: str) -> None:
    for each in ("s3", "gcs", "azure"):
        volume = {"name": "v", "size": "1Gi", "type": "temporary", "path": "/v"}
        source = {"type": each, "uri": uri, "credentials": "c"}
        document = service(workload__storage={"volumes": [{**volume, "source": source}]})
        if each == kind:
            assert read_intent(document).to_dict() == {"intent": document}
            continue
        with pytest.raises(IntentError) as caught:
            read_intent(document)
        assert caught.value.path == "workload.storage.volumes.0.source.uri"


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.com/c",
        "https://account.blob.core.windows.net@169.254.169.254/",
        "https://169.254.169.254/account.blob.core.windows.net",
        "https://account.blob.core.windows.net.example.com/",
        "https://a.b.blob.core.windows.net/",
        "http://account.blob.core.windows.net/c",
        "file:///etc/passwd",
        "az:///x",
        "gopher://x",
    ],
)
def test_an_azure_source_lies_at_azure(uri: str) -> None:
    path = "workload.storage.volumes.0.source"
    with pytest.raises(IntentError) as caught:
        read_intent(with_value(path, {"type": "azure", "uri": uri, "credentials": "c"}))
    assert caught.value.path == f"{path}.uri"


def test_every_model_of_the_gpu_table_can_be_asked_for() -> None:
    for model in gpus.models():
        assert read_value("workload.resources.gpu.model", model) == model
