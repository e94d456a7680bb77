"""The error of the settings.

SettingsError (ServiceError, ValueError)    a settings file that cannot be used
"""

from lithoscope_services.errors import ServiceError


class SettingsError(ServiceError, ValueError):
    """A settings file cannot be used.

    Parameters
    ----------
    problems
        One line each: all that is wrong, not only the first.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
