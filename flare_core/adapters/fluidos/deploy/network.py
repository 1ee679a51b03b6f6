"""Who can reach the workload: Services, an Ingress, and a NetworkPolicy of the firewall rules.

A NetworkPolicy only ever allows. So a port with ``allow`` rules is open to their sources, less those that a
``deny`` rule takes out, whatever the order; one with ``deny`` rules alone is open to everybody else; a port
of the workload without a rule is open; every other port is closed. Tasks of one order always reach each
other. Without any rule there is no policy.
"""

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flare_core.adapters.fluidos import names
from flare_core.adapters.fluidos.deploy.controllers import is_gang, service_name
from flare_core.adapters.fluidos.deploy.groups import Group, Ordered

if TYPE_CHECKING:
    from flare_core.adapters.fluidos.settings import FluidosSettings
    from flare_core.intent.workload import PortRule

Json = dict[str, Any]
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYWHERE: Final = ("0.0.0.0/0", "::/0")


def services(order: Ordered, every: Sequence[Group], settings: "FluidosSettings") -> list[Json]:
    """Return names and specs of the Services: one inside, one for what no Ingress can expose."""
    ports, selector = order.intent.workload.ports, _everyone(order)
    found: list[Json] = []
    if ports:
        found.append(
            {"name": service_name(order), "spec": {"selector": selector, "ports": list(map(_port, ports))}}
        )
    elif is_gang(order, every):
        headless = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": selector}
        found.append({"name": service_name(order), "spec": headless})
    hosts = {(rule.port, rule.protocol) for rule, _ in hosts_of(order, settings)}
    outside = [rule for rule in ports if rule.expose and (rule.port, rule.protocol) not in hosts]
    if outside:
        spec = {"type": "LoadBalancer", "selector": selector, "ports": list(map(_port, outside))}
        found.append({"name": names.name(service_name(order), "exposed"), "spec": spec})
    return found


def hosts_of(order: Ordered, settings: "FluidosSettings") -> "list[tuple[PortRule, str]]":
    """Return the ports that an Ingress exposes, each under a host of its own.

    A second port under the same domain cannot be told from the first, and is left to a load balancer.
    """
    found: dict[str, PortRule] = {}
    for rule in order.intent.workload.ports:
        host = rule.domain.lower() if rule.domain is not None else _own_host(order, rule, settings)
        if rule.expose and rule.protocol == "TCP" and host is not None:
            found.setdefault(host, rule)
    return [(rule, host) for host, rule in found.items()]


def ingress(order: Ordered, settings: "FluidosSettings") -> Json | None:
    """Return the spec of the Ingress, None where no port needs one."""
    hosts = hosts_of(order, settings)
    if not hosts:
        return None
    spec: Json = {"rules": [_rule(order, rule, host) for rule, host in hosts]}
    if settings.ingress_class is not None:
        spec["ingressClassName"] = settings.ingress_class
    if settings.ingress_tls:
        secret = names.name(order.intent.workload.name, "tls")
        spec["tls"] = [{"hosts": [host for _, host in hosts], "secretName": secret}]
    return spec


def url(order: Ordered, settings: "FluidosSettings") -> str | None:
    """Return where the workload is reached from outside, None where no host name leads to it."""
    hosts = hosts_of(order, settings)
    return f"{'https' if settings.ingress_tls else 'http'}://{hosts[0][1]}" if hosts else None


def policy(order: Ordered) -> Json | None:
    """Return the spec of the NetworkPolicy, None without rules."""
    rules = order.intent.constraints.security.firewall_rules
    if not rules:
        return None
    ports = dict.fromkeys((rule.port, rule.protocol) for rule in order.intent.workload.ports)
    ports |= dict.fromkeys((rule.port, rule.protocol) for rule in rules)
    own = {names.ORDER: names.label_value(order.key)}
    allowed: list[Json] = [{"from": [{"podSelector": {"matchLabels": own}}]}]
    for port, protocol in ports:
        here = [rule for rule in rules if (rule.port, rule.protocol) == (port, protocol)]
        opened: Json = {"ports": [{"port": port, "protocol": protocol}]}
        if here:
            allow, deny = (
                [ipaddress.ip_network(rule.source) for rule in here if rule.action == action]
                for action in ("allow", "deny")
            )
            blocks = _blocks(allow or [ipaddress.ip_network(each) for each in EVERYWHERE], deny)
            if not blocks:
                continue
            opened["from"] = [{"ipBlock": block} for block in blocks]
        allowed.append(opened)
    return {"podSelector": {"matchLabels": own}, "policyTypes": ["Ingress"], "ingress": allowed}


def _blocks(allow: Sequence[Network], deny: Sequence[Network]) -> list[Json]:
    """Return the sources that are left of `allow`; an exception has to lie truly inside of its block."""
    found: list[Json] = []
    for network in dict.fromkeys(allow):
        if any(_within(network, each) for each in deny):
            continue
        inside = [str(each) for each in dict.fromkeys(deny) if _within(each, network)]
        found.append({"cidr": str(network), **({"except": inside} if inside else {})})
    return found


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


def _everyone(order: Ordered) -> dict[str, str]:
    return {names.ORDER: names.label_value(order.key)}


def _port(rule: "PortRule") -> Json:
    name = f"{rule.protocol.lower()}-{rule.port}"
    return {"name": name, "port": rule.port, "protocol": rule.protocol, "targetPort": name}


def _own_host(order: Ordered, rule: "PortRule", settings: "FluidosSettings") -> str | None:
    if settings.ingress_domain is None:
        return None
    label = names.name(order.intent.workload.name, str(rule.port), names.namespace(order.key)[-8:])
    return f"{label}.{settings.ingress_domain}"


def _rule(order: Ordered, rule: "PortRule", host: str) -> Json:
    service = {"name": service_name(order), "port": {"number": rule.port}}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": service}}
    return {"host": host, "http": {"paths": [path]}}
