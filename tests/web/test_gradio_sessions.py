"""Sessions that are copied: as Gradio makes them, and each its own."""

import gradio as gr
import pytest
from gradio.state_holder import SessionState
from support import STARTER

from cxr.inference.predictor import Predictor
from cxr.web import interface
from cxr.web.sessions import Sessions


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    return interface.build(Predictor(STARTER))


@pytest.fixture
def sessions(page) -> Sessions:
    held = Sessions()
    held.set_blocks(page)
    return held


def test_a_copied_session_is_as_gradio_makes_it(page, sessions):
    """All that a session of Gradio's own holds, equal."""
    own, copied = vars(SessionState(page)), vars(sessions["a"])
    assert copied.keys() == own.keys()
    assert copied["config_values"] == own["config_values"]
    configs = copied.pop("blocks_config"), own.pop("blocks_config")
    assert configs[0].blocks == configs[1].blocks
    assert configs[0].fns == configs[1].fns
    assert copied == own


def test_what_one_session_changes_no_other_sees(sessions):
    """Neither a session that is there nor one that comes later."""
    one, other = sessions["one"], sessions["other"]
    part = next(k for k, config in one.config_values.items() if "value" in config["props"])
    one._update_value_in_config(part, "changed")
    one[part] = gr.Textbox("changed", render=False)
    one.state_data[part] = "changed"
    for session in (other, sessions["later"]):
        assert session.config_values[part]["props"]["value"] != "changed"
        assert session.blocks_config.blocks[part] is not one.blocks_config.blocks[part]
        assert not session.state_data


def test_a_session_is_found_again(sessions):
    """The same caller gets the same session."""
    assert sessions["one"] is sessions["one"]
