"""Listen to a stream of others, or look at a file, and say what it is and what it lacks."""

from lithoscope_services.listen.finding import Need, SourceFinding
from lithoscope_services.listen.listen import listen_to
from lithoscope_services.listen.place import Place, parse_place

__all__ = ["Need", "Place", "SourceFinding", "listen_to", "parse_place"]
