"""Stand-ins for transformers and peft, which the tests do not need: their classes, under their names."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

HERE = Path(__file__).parent


def under_the_name(name, file):
    """The module in a file of this folder, as if it were the one of this name. Nothing can import it by that name."""
    spec = spec_from_file_location(name, HERE / file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


transformers_vit = under_the_name("transformers.models.vit.modeling_vit", "transformers_vit.py")
peft_lora = under_the_name("peft.tuners.lora.layer", "peft_lora.py")
