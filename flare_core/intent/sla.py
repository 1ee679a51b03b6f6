"""What is promised to the user's own users: the section ``sla`` of an intent."""

from flare_core.intent.fields import DurationS, Maybe, Part, Percent, Word


class Sla(Part):
    """Uptime in percent, interruption in seconds; a backup strategy other than ``checkpoint`` is carried."""

    availability: Percent = 99.0
    max_interruption_time: Maybe[DurationS] = None
    backup_strategy: Word = "none"
