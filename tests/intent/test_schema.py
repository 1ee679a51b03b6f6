"""The schema as paths."""

from flare_core.intent import field_paths
from flare_core.intent.schema import object_fields


def test_paths_name_fields_once_and_in_the_order_of_the_reference() -> None:
    paths = field_paths()
    assert len(paths) == len(set(paths))
    assert paths[:3] == ("objective", "workload.type", "workload.name")
    assert paths[-1] == "sla.backup_strategy"


def test_lists_of_objects_have_a_star_and_lists_of_values_none() -> None:
    paths = set(field_paths())
    assert {"workload.ports.*.port", "workload.storage.volumes.*.source.uri", "workload.env"} <= paths
    assert "constraints.security.firewall_rules.*.action" in paths
    assert not any(path.endswith("*") for path in paths)
    assert "workload.ports" not in paths


def test_objects_are_known_by_their_path() -> None:
    fields = object_fields()
    assert fields[""] == ("objective", "workload", "constraints", "sla")
    assert fields["sla"] == ("availability", "max_interruption_time", "backup_strategy")
    assert "port" in fields["workload.ports.*"]
