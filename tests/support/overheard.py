"""What a page complains of, and what it asks for, while a browser has it open."""

from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheard:
    """Complaints are errors of scripts and breaches of the policy."""

    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def elsewhere(self, *own: str) -> list[str]:
        """Give what was asked of others than some addresses."""
        return [each for each in self.addresses if not each.startswith((*own, "data:", "blob:"))]


def overhear(page: Page) -> Overheard:
    """Listen to a page from now on."""
    heard = Overheard()

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            heard.complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda each: heard.complaints.append(str(each)))
    page.on("request", lambda each: heard.addresses.append(each.url))
    return heard
