"""What Gradio keeps of each caller, made at the speed of a copy."""

import contextlib
from collections.abc import AsyncIterator
from copy import copy

import gradio as gr
from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder


class Sessions(StateHolder):
    """Gradio's, but a new session is copied from one that was made when the page started.

    Gradio puts each together anew from all parts of the page, at the first request of a visitor and
    at every call of a script: a tenth of all that an image takes.
    """

    def set_blocks(self, blocks: gr.Blocks) -> None:
        super().set_blocks(blocks)
        self._untouched = SessionState(blocks)

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = self._new()
        return super().__getitem__(session_id)

    def _new(self) -> SessionState:
        """A session whose parts can be changed without changing another's."""
        new = copy(self._untouched)
        new.blocks_config = copy(new.blocks_config)
        # Of a part Gradio replaces all, or the value among its properties.
        new.config_values = {
            part: {name: copy(value) for name, value in config.items()}
            for part, config in new.config_values.items()
        }
        new.state_data, new._state_ttl = {}, {}
        return new


@contextlib.asynccontextmanager
async def kept(app: App) -> AsyncIterator[None]:
    """What launch() is given as lifespan."""
    app.state_holder = Sessions()
    app.state_holder.set_blocks(app.get_blocks())
    yield
