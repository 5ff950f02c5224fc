"""The control for the prevalence that scores are stated at, and the words on what that means."""

import gradio as gr

import cxr.inference.prevalence
from cxr.inference.prevalence import DEFAULT, NIH, TRAINING, Prevalence
from cxr.model.model_folder import NOT_FOR_CLINICAL_USE
from cxr.web.page import files, texts
from cxr.web.page.texts import Text, words

_EXAMPLE = "Effusion=0.3, Mass=0.1"
_MIXES = {NIH: texts.TEXTS["mix_nih"], TRAINING: texts.TEXTS["mix_training"]}


def make(elem_id: str, at_once: bool = False) -> gr.HTML:
    """The control. Its value is the prevalence of the scores as text, or what was not understood.

    What the reader asks for comes with its event `input`, as `stated`.

    at_once: the value is what the reader asks for, whether or not it is understood.
    """
    radios = "".join(
        f'<label><input type="radio" name="{elem_id}" value="{value}"><span>{words(key)}</span>'
        "</label>"
        for value, key in ((NIH, "prevalence_nih"), (TRAINING, "prevalence_training"))
    )
    return gr.HTML(
        DEFAULT,
        html_template=f"""
<fieldset><legend>{words("prevalence")}</legend>{radios}
  <span class="own"><label><input type="radio" name="{elem_id}" value="own">
    <span id="{elem_id}-own">{words("prevalence_own")} <code>{_EXAMPLE}</code></span></label>
  <input type="text" aria-labelledby="{elem_id}-own" maxlength="1000" autocomplete="off"
    spellcheck="false"></span>
</fieldset>""",
        js_on_load=files.read("prevalence_choice.js"),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="prevalence",
        at_once=at_once,
    )


def understand(stated: str | None, otherwise: Prevalence) -> tuple[Prevalence, str]:
    """The prevalence in words; or the other one, and a sentence on what is wrong."""
    try:
        return cxr.inference.prevalence.parse(stated or DEFAULT), ""
    except cxr.inference.prevalence.PrevalenceError as error:
        return otherwise, str(error)


def mix(prevalence: Prevalence) -> Text:
    """The images whose mix of findings scores at a prevalence are stated for."""
    stated = cxr.inference.prevalence.name(prevalence)
    return _MIXES.get(stated) or texts.TEXTS["mix_own"].filled(shares=stated)


def meaning(prevalence: Prevalence) -> str:
    """What the scores mean at a prevalence, as HTML."""
    never = texts.translated(NOT_FOR_CLINICAL_USE).html
    return f"<p><strong>{never}</strong> {words('meaning', mix=mix(prevalence))}</p>"
