"""What can go wrong with a model: each error's message is one sentence for a layperson."""


class ModelFolderError(ValueError):
    """A model folder that cannot be used."""


class HubError(RuntimeError):
    """A request that the Hugging Face Hub rejected, or the reason why the Hub was not reached."""


class HubAway(HubError):
    """The Hub could not be asked at all: no network, switched off, or not able to answer."""
