"""What is known about providers and their regions, each fact with its source.

A fact is either of one (provider, region) or of a whole provider, and is found by exact match
only, never by country. Its field is the offer's, by dotted name.

What is and what is not a fact here:

- ``energy.carbon_intensity`` (gCO2e/kWh): Google's own figure of the grid that a region draws from,
  and the factors that Cloud Carbon Footprint states for AWS and Azure regions. Location-based.
- ``energy.power_usage_effectiveness``: the provider's figure for the region, else its fleet average.
  "As low as" figures are left out.
- ``compliance.certifications``: only what is certified or attested and widely documented; "we
  comply" on a page without a public report is not. A certificate covers named services and expires.
- ``compliance.hipaa_compliant``: a business associate agreement is offered.
- ``compliance.encryption_at_rest``: block volumes are encrypted without the user asking. AWS
  leaves it to the account, so it is unknown there.
- ``storage`` = ``elastic``, ``persistent_storage``: block volumes can be attached at will.
- ``compliance.gdpr_compliant``: an accredited monitoring body has verified that the provider's services
  adhere to a code of conduct approved under Art. 40 GDPR (which Art. 28(5) takes as evidence of a
  processor's guarantees). A published data processing agreement alone leaves it unknown. It says
  nothing about what the user does with the data.
- Left unknown everywhere: ``compliance.encryption_in_transit`` (it depends on what the user runs),
  ``energy.renewable_energy`` and ``energy.green_certified`` (annual matching with certificates says
  nothing about the power drawn).
"""

from dataclasses import dataclass
from functools import cache

from flare_core.catalog._tables import Row, rows

FactValue = str | float | bool | tuple[str, ...]

_ALIASES = {
    "amazon": "aws",
    "google": "gcp",
    "microsoft": "azure",
    "oracle": "oci",
    "digitalocean": "do",
    "ovh": "ovhcloud",
    "lambdalabs": "lambda",
    "vastai": "vast",
    "datacrunch": "verda",
}


@dataclass(frozen=True, slots=True)
class ProviderFact:
    """One fact.

    Attributes
    ----------
    region
        None: of the whole provider.
    field
        Dotted field of the offer document.
    value
        A number, a flag, a word, or names (certifications), as the field has it.
    year
        Of the figure or of the page that states it.
    """

    provider: str
    region: str | None
    field: str
    value: FactValue
    year: int
    source: str


def _value(field: str, cell: str) -> FactValue:
    if field.startswith("energy."):
        return float(cell)
    if field == "compliance.certifications":
        return tuple(cell.split(";"))
    return cell == "true" if cell in {"true", "false"} else cell


def _fact(row: Row) -> ProviderFact:
    return ProviderFact(
        provider=row["provider"],
        region=row["region"] or None,
        field=row["field"],
        value=_value(row["field"], row["value"]),
        year=int(row["year"]),
        source=row["source"],
    )


def provider_key(provider: str) -> str:
    """Return the catalog's key for a provider's name (lower case; other names of one company join).

    >>> provider_key("VastAI"), provider_key("provider-1")
    ('vast', 'provider-1')
    """
    name = provider.casefold()
    return _ALIASES.get(name, name)


@cache
def all_facts() -> tuple[ProviderFact, ...]:
    """Return every fact, by provider, region and field."""
    return tuple(_fact(row) for row in rows("provider_facts.csv"))


@cache
def _by_place() -> dict[tuple[str, str], dict[str, ProviderFact]]:
    found: dict[tuple[str, str], dict[str, ProviderFact]] = {}
    for fact in all_facts():
        found.setdefault((fact.provider, (fact.region or "").casefold()), {})[fact.field] = fact
    return found


def facts(provider: str, region: str) -> tuple[ProviderFact, ...]:
    """Return what is known of a provider's region, by field; the region's own fact goes first.

    A provider-wide fact stands in where the region has none of that field. Nothing is known of a
    provider that the table does not have.
    """
    key = provider_key(provider)
    wide = _by_place().get((key, ""), {})
    own = _by_place().get((key, region.casefold()), {})
    merged = {**wide, **own}
    return tuple(merged[field] for field in sorted(merged))
