"""Facts about providers hold for exact matches, are typed, and come with a source."""

import pytest

from flare_core.catalog import providers, regions


def value(provider: str, region: str, field: str) -> providers.FactValue | None:
    return next((f.value for f in providers.facts(provider, region) if f.field == field), None)


def test_every_fact_is_unique_sourced_and_about_a_known_place() -> None:
    facts = providers.all_facts()
    assert len({(f.provider, f.region, f.field) for f in facts}) == len(facts) > 150
    known = {r.provider for r in regions.regions()}
    for fact in facts:
        assert fact.source
        assert 2019 <= fact.year <= 2026
        assert fact.provider in known


def test_values_have_the_type_of_their_field() -> None:
    types = {
        f.field: {type(g.value) for g in providers.all_facts() if g.field == f.field}
        for f in providers.all_facts()
    }
    assert types == {
        "energy.carbon_intensity": {float},
        "energy.power_usage_effectiveness": {float},
        "compliance.certifications": {tuple},
        "compliance.hipaa_compliant": {bool},
        "compliance.gdpr_compliant": {bool},
        "compliance.encryption_at_rest": {bool},
        "persistent_storage": {bool},
        "storage": {str},
    }


def test_figures_are_plausible() -> None:
    for fact in providers.all_facts():
        if fact.field == "energy.power_usage_effectiveness":
            assert isinstance(fact.value, float)
            assert 1.0 < fact.value < 2.0
        if fact.field == "energy.carbon_intensity":
            assert isinstance(fact.value, float)
            assert 1 < fact.value < 1000


def test_a_region_s_own_fact_goes_before_the_provider_s() -> None:
    assert value("aws", "eu-central-1", "energy.power_usage_effectiveness") == 1.35
    assert value("aws", "eu-west-3", "energy.power_usage_effectiveness") == 1.15
    assert value("gcp", "europe-north1", "energy.carbon_intensity") == 39.32
    assert value("AWS", "EU-NORTH-1", "energy.carbon_intensity") == 8.0


def test_nothing_is_filled_by_country() -> None:
    """AWS and Google have figures for Frankfurt; they say nothing about Oracle or a new region."""
    assert value("oci", "eu-frankfurt-1", "energy.carbon_intensity") is None
    assert value("aws", "eu-somewhere-9", "energy.carbon_intensity") is None
    assert providers.facts("nobody", "eu-central-1") == ()


@pytest.mark.parametrize("provider", ["nebius", "runpod", "vast", "lambda", "hyperstack", "verda"])
def test_stated_or_unknown_is_not_certified(provider: str) -> None:
    assert value(provider, "anywhere", "compliance.certifications") is None
    assert value(provider, "anywhere", "compliance.hipaa_compliant") is None


def test_certificates_are_those_shown() -> None:
    assert value("aws", "eu-west-1", "compliance.certifications") == ("ISO27001", "SOC2")
    assert value("scaleway", "fr-par", "compliance.certifications") == ("ISO27001",)
    assert value("ovhcloud", "GRA", "compliance.hipaa_compliant") is None


def test_what_depends_on_the_user_stays_unknown() -> None:
    fields = {fact.field for fact in providers.all_facts()}
    assert not fields & {
        "compliance.encryption_in_transit",
        "energy.renewable_energy",
        "energy.green_certified",
    }
    assert value("aws", "eu-west-1", "compliance.encryption_at_rest") is None
    assert value("aws", "eu-west-1", "compliance.gdpr_compliant") is None
    assert value("azure", "westeurope", "compliance.gdpr_compliant") is True


@pytest.mark.parametrize(
    ("name", "key"),
    [("AWS", "aws"), ("lambdalabs", "lambda"), ("VastAI", "vast"), ("provider-1", "provider-1")],
)
def test_other_names_of_a_provider_find_its_facts(name: str, key: str) -> None:
    assert providers.provider_key(name) == key
    assert providers.facts(name, "x") == providers.facts(key, "x")


def test_public_clouds_attach_volumes_at_will() -> None:
    assert value("gcp", "us-central1", "storage") == "elastic"
    assert value("runpod", "US", "storage") is None
