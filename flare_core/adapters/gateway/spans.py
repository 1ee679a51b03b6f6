"""Spans of OpenTelemetry, where they are turned on; otherwise nothing, and nothing is loaded.

Spans go to where the ``OTEL_EXPORTER_OTLP_*`` variables say. They name routes, outcomes and numbers, never
what an intent holds.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from flare_core.adapters.gateway.settings import Settings
from flare_core.errors import OptionsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SERVICE: Final = "flare-gateway"
Attribute = str | int | float | bool


class Spans(Protocol):
    """Where spans are opened."""

    def span(
        self, name: str, parent: Mapping[str, str] | None = None, **attributes: Attribute
    ) -> AbstractContextManager[None]:
        """Open a span for a block; an exception that leaves the block marks it as failed.

        Parameters
        ----------
        parent
            Headers in which a caller names its own span (W3C Trace Context).
        """
        ...

    def note(self, **attributes: Attribute) -> None:
        """Add to the span that is open here, if one is."""
        ...

    def close(self) -> None:
        """Send what has not been sent."""
        ...


class NoSpans:
    """Spans that nobody wants."""

    def span(
        self, name: str, parent: Mapping[str, str] | None = None, **attributes: Attribute
    ) -> AbstractContextManager[None]:
        return nullcontext()

    def note(self, **attributes: Attribute) -> None:
        pass

    def close(self) -> None:
        pass


class OtelSpans:
    """Spans that a provider of OpenTelemetry exports."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("flare_core")

    @contextmanager
    def span(
        self, name: str, parent: Mapping[str, str] | None = None, **attributes: Attribute
    ) -> Iterator[None]:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract(dict(parent)) if parent else None
        # What an exception says may be a user's: that it happened, and of which kind, is enough.
        with self._tracer.start_as_current_span(
            name,
            context,
            attributes=_named(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                from opentelemetry.trace import StatusCode

                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise

    def note(self, **attributes: Attribute) -> None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(_named(attributes))

    def close(self) -> None:
        self._provider.shutdown()


def spans_of(settings: Settings) -> Spans:
    """Return what the settings ask for.

    Raises
    ------
    OptionsError
        If spans are asked for, and the extra ``otel`` is not installed.
    """
    if not settings.otel:
        return NoSpans()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise OptionsError("otel", "found no OpenTelemetry, expected the extra: flare-core[otel]") from None
    resource = Resource.create({SERVICE_NAME: SERVICE})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OtelSpans(provider)


def _named(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {f"flare.{name}": value for name, value in attributes.items()}
