"""What the card says of pictures that the demo should refuse or warn of."""

from typing import Any

from cxr.training.model_card.form import count, paragraphs, percent, table, with_interval


def films_and_pictures(metrics: dict[str, Any], screening: dict[str, Any] | None) -> str:
    """Held-out films that were refused or warned of, then odd pictures, then changed films.

    screening: as `render` takes it.
    """
    odd = screening or {}
    parts = [
        _films(metrics.get("screening") or {}),
        _tried("picture", odd.get("kinds") or {}),
        _tried("change to a chest film", odd.get("chest_transforms") or {}),
    ]
    if odd.get("refused_share") is not None:
        share = with_interval(odd, "refused_share", percent, "ci95")
        parts.insert(1, f"Of pictures that are no frontal chest film it refused {share}.")
    if not any(parts):
        return "Not measured: how it answers pictures that are no frontal chest film."
    return paragraphs(parts)


def _films(films: dict[str, Any]) -> str:
    if films.get("films") is None:
        return ""
    return (
        f"Of the {count(films['films'])} held-out films, all frontal chest films, "
        f"{_part(films, 'refused', 'refused_share')} were refused and "
        f"{_part(films, 'warned', 'warned_share')} answered with a warning."
    )


def _part(films: dict[str, Any], number: str, share: str) -> str:
    return f"{count(films.get(number))} ({percent(films.get(share))})"


def _tried(what: str, kinds: dict[str, dict[str, Any]]) -> str:
    if not kinds:
        return ""
    rows = [
        (
            kind.replace("_", " "),
            count(tried.get("pictures")),
            count(tried.get("refused")),
            count(tried.get("warned")),
        )
        for kind, tried in kinds.items()
    ]
    return table((what, "tried", "refused", "warned of"), rows)
