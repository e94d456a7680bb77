"""Whether what made the labels of a scan was tried out on the cell that they show.

A network is validated on an experiment when slices of it were painted that the network has not
learned from, and it did well there: its card says so (`lithoscope model fine-tune`). A network
that was trained on simulated cells and scored on others is validated on simulated cells. What
`decide.commissioned_models` names was tried out by a person.
"""

from typing import Final

from lithoscope_messages import LabelsReady
from lithoscope_services.history import History

#: Carried by every metric that rests on labels nobody has tried out.
UNVALIDATED_FLAG: Final = "unvalidated_model"


def is_validated(history: History, labels: LabelsReady | None) -> bool:
    """Say whether the labels of a scan are those of a model that was tried out on this cell.

    Parameters
    ----------
    history
        Of the experiment: its name, its source, and that which it was made from.
    labels
        Of the scan; None for a scan that has none.
    """
    if labels is None:
        return False
    if labels.model in history.settings.decide.commissioned_models:
        return True
    if history.started is None:
        return False
    description = history.started.description
    whose = {history.experiment, description.made_from}
    if whose.intersection(labels.validated_on):
        return True
    return description.source == "simulated" and labels.validated_on_simulated
