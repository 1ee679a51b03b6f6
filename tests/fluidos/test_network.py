"""Who reaches a workload: told by asking a model of Kubernetes' rules about single packets."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.adapters.fluidos import deploy
from flare_core.adapters.fluidos.settings import FluidosSettings
from tests.fluidos.orders import Json, deployed, intent, of_kind, order, the
from tests.fluidos.schemas import faults


def rule(port: int, source: str, action: str = "allow", protocol: str = "TCP") -> Json:
    return {"port": port, "protocol": protocol, "source": source, "action": action}


def guarded(rules: list[Json], ports: list[Json] | None = None) -> Any:
    constraints = {"security": {"firewall_rules": rules}}
    return order(intent(constraints=constraints, ports=ports or []))


def admits(spec: Json, address: str, port: int, protocol: str = "TCP") -> bool:
    """Whether a NetworkPolicy lets a packet from outside the cluster in, as Kubernetes documents it."""
    source = ipaddress.ip_address(address)
    for entry in spec["ingress"]:
        open_to = entry.get("ports")
        if open_to is not None and {"port": port, "protocol": protocol} not in open_to:
            continue
        blocks = [peer["ipBlock"] for peer in entry.get("from", ()) if "ipBlock" in peer]
        if "from" not in entry or any(
            source in ipaddress.ip_network(block["cidr"])
            and not any(source in ipaddress.ip_network(each) for each in block.get("except", ()))
            for block in blocks
        ):
            return True
    return False


@pytest.mark.parametrize(
    ("rules", "address", "port", "let_in"),
    [
        ([rule(22, "10.0.0.0/8")], "10.1.2.3", 22, True),
        ([rule(22, "10.0.0.0/8")], "11.1.2.3", 22, False),
        ([rule(22, "10.0.0.0/8")], "10.1.2.3", 23, False),
        ([rule(22, "10.0.0.0/8")], "11.1.2.3", 80, True),  # a port of the workload, without a rule
        ([rule(80, "10.0.0.0/8")], "11.1.2.3", 80, False),
        ([rule(80, "10.0.0.0/8", "deny")], "10.1.2.3", 80, False),
        ([rule(80, "10.0.0.0/8", "deny")], "11.1.2.3", 80, True),
        ([rule(80, "10.0.0.0/8", "deny")], "2001:db8::1", 80, True),
        ([rule(80, "0.0.0.0/0", "deny")], "11.1.2.3", 80, False),
        ([rule(80, "0.0.0.0/0", "deny")], "2001:db8::1", 80, True),
        ([rule(80, "10.0.0.0/8"), rule(80, "10.1.0.0/16", "deny")], "10.1.2.3", 80, False),
        ([rule(80, "10.0.0.0/8"), rule(80, "10.1.0.0/16", "deny")], "10.2.2.3", 80, True),
        ([rule(80, "10.1.0.0/16"), rule(80, "10.0.0.0/8", "deny")], "10.1.2.3", 80, False),
        ([rule(80, "10.0.0.0/8"), rule(80, "10.0.0.0/8", "deny")], "10.1.2.3", 80, False),
        ([rule(80, "2001:db8::/32")], "2001:db8::1", 80, True),
    ],
)
def test_a_packet_comes_in_where_a_rule_says_so(
    rules: list[Json], address: str, port: int, let_in: bool
) -> None:
    objects = deployed(guarded(rules, [{"port": 80}]))
    assert admits(the(objects, "NetworkPolicy"), address, port) is let_in
    assert [faults(each) for each in objects] == [[]] * len(objects)


NETWORKS = st.sampled_from(
    ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "192.168.0.0/16", "::/0"]
)
RULES = st.lists(
    st.builds(rule, st.sampled_from([80, 81]), NETWORKS, st.sampled_from(["allow", "deny"])), max_size=5
)
ADDRESSES = st.sampled_from(["10.1.2.3", "10.1.9.9", "10.9.9.9", "192.168.1.1", "8.8.8.8", "2001:db8::1"])


@given(RULES, ADDRESSES, st.sampled_from([80, 81, 82]))
def test_policies_say_what_the_rules_say(rules: list[Json], address: str, port: int) -> None:
    here = [each for each in rules if each["port"] == port]
    matching = [
        each["action"]
        for each in here
        if ipaddress.ip_address(address) in ipaddress.ip_network(each["source"])
    ]
    only_denied = bool(here) and all(each["action"] == "deny" for each in here)
    expected = "deny" not in matching and ("allow" in matching or only_denied or (not here and port == 80))
    objects = deployed(guarded(rules, [{"port": 80}]))
    if not rules:
        assert not of_kind(objects, "NetworkPolicy")
        return
    policy = the(objects, "NetworkPolicy")
    assert admits(policy, address, port) is expected
    for entry in policy["ingress"]:
        for block in [peer["ipBlock"] for peer in entry.get("from", ()) if "ipBlock" in peer]:
            outer = ipaddress.ip_network(block["cidr"])
            for each in map(ipaddress.ip_network, block.get("except", ())):
                assert each != outer
                assert each.subnet_of(outer)  # type: ignore[arg-type]  # of one family, or it raises


def test_tasks_of_one_order_always_reach_each_other() -> None:
    placed = guarded([rule(22, "10.0.0.0/8")])
    policy = the(deployed(placed), "NetworkPolicy")
    assert [told for told in deploy.remarks(placed) if "NetworkPolicy" in told]
    own = policy["podSelector"]
    assert policy["ingress"][0] == {"from": [{"podSelector": own}]}
    assert policy["policyTypes"] == ["Ingress"]


# --- services and entrances ----------------------------------------------------------------------


def exposed(*ports: Json, name: str = "demo") -> Any:
    return order(intent(name=name, ports=list(ports)))


def test_ports_are_one_service() -> None:
    spec = the(deployed(exposed({"port": 80}, {"port": 80, "protocol": "UDP"})), "Service")
    assert [(each["port"], each["protocol"], each["name"]) for each in spec["ports"]] == [
        (80, "TCP", "tcp-80"),
        (80, "UDP", "udp-80"),
    ]
    assert "type" not in spec


def test_a_domain_leads_to_the_port_by_https() -> None:
    placed = exposed({"port": 8000, "expose": True, "domain": "API.example.org"}, {"port": 9000})
    spec = the(deployed(placed), "Ingress")
    (host,) = spec["rules"]
    assert host["host"] == "api.example.org"
    assert host["http"]["paths"][0]["backend"]["service"] == {"name": "demo", "port": {"number": 8000}}
    assert spec["tls"] == [{"hosts": ["api.example.org"], "secretName": "demo-tls"}]
    assert deploy.url(placed, FluidosSettings()) == "https://api.example.org"


@pytest.mark.parametrize(
    "port",
    [{"port": 80, "expose": True}, {"port": 80, "protocol": "UDP", "expose": True}],
    ids=["no-domain", "udp"],
)
def test_what_no_ingress_can_expose_has_a_load_balancer(port: Json) -> None:
    placed = exposed(port)
    objects = deployed(placed)
    assert not of_kind(objects, "Ingress")
    (balancer,) = (each for each in of_kind(objects, "Service") if each["spec"].get("type") == "LoadBalancer")
    assert balancer["metadata"]["name"] == "demo-exposed"
    assert deploy.url(placed, FluidosSettings()) is None


def test_a_domain_of_the_platform_stands_in() -> None:
    placed = exposed({"port": 80, "expose": True}, {"port": 81, "expose": True})
    settings = FluidosSettings(ingress_domain="apps.example.org")
    hosts = [each["host"] for each in the(deployed(placed, settings), "Ingress")["rules"]]
    assert len(set(hosts)) == 2
    assert all(host.startswith("demo-8") and host.endswith(".apps.example.org") for host in hosts)


def test_a_second_port_under_one_domain_is_exposed_otherwise_and_told() -> None:
    ports = [{"port": port, "expose": True, "domain": "a.example.org"} for port in (80, 81)]
    placed = exposed(*ports)
    objects = deployed(placed)
    assert len(the(objects, "Ingress")["rules"]) == 1
    assert [each["spec"]["ports"][0]["port"] for each in of_kind(objects, "Service")] == [80, 81]
    assert [told for told in deploy.remarks(placed) if "port 81" in told]


def test_a_service_begins_with_a_letter() -> None:
    objects = deployed(exposed({"port": 80}, name="3d-render"))
    assert of_kind(objects, "Service")[0]["metadata"]["name"] == "w-3d-render"
    assert of_kind(objects, "Deployment")[0]["metadata"]["name"] == "3d-render"
