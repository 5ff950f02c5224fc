"""What the card says of images that the demo should reject or warn of."""

from typing import Any

from cxr.evaluation.model_card.form import count, paragraphs, percent, table, with_interval


def images_and_pictures(metrics: dict[str, Any], input_check: dict[str, Any] | None) -> str:
    """Held-out images that were rejected or warned of, then out-of-distribution images, then changed images.

    input check: as `render` takes it.
    """
    odd = input_check or {}
    parts = [
        _images(metrics.get("input_check") or {}),
        _tried("picture", odd.get("kinds") or {}),
        _tried("change to a chest X-ray", odd.get("chest_transforms") or {}),
    ]
    if odd.get("rejected_share") is not None:
        share = with_interval(odd, "rejected_share", percent, "ci95")
        parts.insert(1, f"Of images that are no frontal chest X-ray it rejected {share}.")
    if not any(parts):
        return "Not measured: how it answers images that are no frontal chest X-ray."
    return paragraphs(parts)


def _images(images: dict[str, Any]) -> str:
    if images.get("images") is None:
        return ""
    return (
        f"Of the {count(images['images'])} held-out images, all frontal chest X-rays, "
        f"{_part(images, 'rejected', 'rejected_share')} were rejected and "
        f"{_part(images, 'warned', 'warned_share')} answered with a warning."
    )


def _part(images: dict[str, Any], number: str, share: str) -> str:
    return f"{count(images.get(number))} ({percent(images.get(share))})"


def _tried(what: str, kinds: dict[str, dict[str, Any]]) -> str:
    if not kinds:
        return ""
    rows = [
        (
            kind.replace("_", " "),
            count(tried.get("pictures")),
            count(tried.get("rejected")),
            count(tried.get("warned")),
        )
        for kind, tried in kinds.items()
    ]
    return table((what, "tried", "rejected", "warned of"), rows)
