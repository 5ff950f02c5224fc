"""Copied sessions: equal to those that Gradio builds, and independent of each other."""

import gradio as gr
import pytest
from gradio.state_holder import SessionState
from support import STARTER

from cxr.inference.predictor import Predictor
from cxr.web import interface
from cxr.web.gradio_sessions import Sessions


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    return interface.build(Predictor(STARTER))


@pytest.fixture
def sessions(page) -> Sessions:
    made = Sessions()
    made.set_blocks(page)
    return made


def test_a_copied_session_is_as_gradio_builds_it(page, sessions):
    """Everything that a session of Gradio's own holds is equal."""
    built, copied = vars(SessionState(page)), vars(sessions["a"])
    assert copied.keys() == built.keys()
    assert copied["config_values"] == built["config_values"]
    configs = copied.pop("blocks_config"), built.pop("blocks_config")
    assert configs[0].blocks == configs[1].blocks
    assert configs[0].fns == configs[1].fns
    assert copied == built


def test_a_change_in_one_session_does_not_show_in_another(sessions):
    """Neither in a session that exists nor in one that is made later."""
    one, other = sessions["one"], sessions["other"]
    component = next(k for k, config in one.config_values.items() if "value" in config["props"])
    one.config_values[component]["props"]["value"] = "changed"
    one[component] = gr.Textbox("changed", render=False)
    one.state_data[component] = "changed"
    for session in (other, sessions["later"]):
        assert session.config_values[component]["props"]["value"] != "changed"
        assert session.blocks_config.blocks[component] is not one.blocks_config.blocks[component]
        assert not session.state_data


def test_a_session_is_found_again(sessions):
    """The same caller gets the same session."""
    assert sessions["one"] is sessions["one"]
