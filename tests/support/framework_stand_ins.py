"""Stand-ins for classes of transformers and peft, so that the tests do not need these packages."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

HERE = Path(__file__).parent


def under_the_name(name, file):
    """Load a file of this folder as a module of another name, without making it importable."""
    spec = spec_from_file_location(name, HERE / file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


transformers_vit = under_the_name("transformers.models.vit.modeling_vit", "transformers_vit.py")
peft_lora = under_the_name("peft.tuners.lora.layer", "peft_lora.py")
