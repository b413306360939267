"""Every plain Vision Transformer of timm computes the same here as there; whatever cannot is refused by name.

All architectures are tried two layers deep, on a small grid that is not square and on a second one, with random weights
in every part. Where timm lets the width be chosen it is small, and names that differ in the image's size alone are one;
`--all` (`make test-all`) tries each name at its own width.
"""

import contextlib
import re

import pytest
import timm
import torch

import vitviz

from .exhaustive import exhaustive

pytestmark = pytest.mark.slow

PLAIN = [name for module in ("vision_transformer", "deit", "beit", "eva") for name in timm.list_models(module=module)]
HYBRID = timm.list_models(module="vision_transformer_hybrid")
NAFLEX = timm.list_models(module="naflexvit")
GRIDS = ((3, 4), (5, 2))
WITHIN = 1e-5  # relative to the largest number


@pytest.fixture(scope="module")
def tally(request):
    """Whether each architecture was equal; how many were is printed at the end."""
    equal = {}
    yield equal
    plugins = request.config.pluginmanager
    for family, names in (("plain ViTs", PLAIN), ("hybrids", HYBRID), ("NaFlexViT", NAFLEX)):
        tried = [equal[name] for name in names if name in equal]
        if tried:
            words = f"{sum(tried)} of {len(tried)} equal to timm, {len(tried) - sum(tried)} refused or different"
            with plugins.get_plugin("capturemanager").global_and_fixture_disabled():
                plugins.get_plugin("terminalreporter").write_line(f"\n{family}: {words}")


def small(name, full_width):
    """Options for a small model of an architecture: two layers, a small grid and, if possible, a small width."""
    with torch.device("meta"):
        model = timm.create_model(name)
    options = {"depth": 2}
    if name in NAFLEX:
        options["pos_embed_grid_size"] = GRIDS[0]
    else:
        patch = model.patch_embed.feat_ratio()
        options["img_size"] = tuple(side * patch for side in GRIDS[0])
    if not full_width and name != "vit_base_mci_224":  # whose stem has the width of its tokens
        options |= {"embed_dim": 96, "num_heads": 3}
    shared = [
        block.attn.num_kv_heads for block in model.blocks if hasattr(getattr(block, "attn", None), "num_kv_heads")
    ]
    if shared:  # one entry a block: how many heads of keys and values there are
        heads = options.get("num_heads", max(shared))
        options["num_kv_heads"] = (heads, heads if len(set(shared)) == 1 else 1)
    return options


def randomised(model):
    """The model in evaluation mode with no weight left at a special value."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            inputs = (
                parameter[0].numel() if parameter.ndim > 1 else 100
            )  # so that no layer's numbers grow with its width
            parameter.add_(torch.randn(parameter.shape, generator=random) / max(100, inputs) ** 0.5)
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False  # the explicit path, whose weights can be heard
    return model.eval().requires_grad_(False)


@contextlib.contextmanager
def their_weights(model):
    """What timm's own modules compute as attention, one entry a layer, [batch, head, query, key]."""
    heard = []

    def keep(module, inputs):
        heard.append(inputs[0])

    handles = [
        module.register_forward_pre_hook(keep) for name, module in model.named_modules() if name.endswith("attn_drop")
    ]
    found = []
    yield found
    for handle in handles:
        handle.remove()
    per_layer = len(heard) // len(model.blocks)
    for layer, block in enumerate(model.blocks):
        weights = torch.cat(heard[layer * per_layer : (layer + 1) * per_layer], dim=1)
        differential = next((part for part in block.modules() if hasattr(part, "lambda_init")), None)
        if differential is not None:
            first, second = weights.unflatten(1, (-1, 2)).unbind(2)
            weights = first - differential._compute_lambda() * second
        found.append(weights)


def their_pooling(model, tokens):
    """The attention of timm's pooling, from its own modules, [head, 1, key]."""
    pool = model.attn_pool
    q = pool.q_norm(pool.q(pool.latent).unflatten(-1, (pool.num_heads, -1)).transpose(1, 2))
    k = pool.k_norm(pool.kv(tokens).chunk(2, -1)[0].unflatten(-1, (pool.num_heads, -1)).transpose(1, 2))
    return (q @ k.mT * pool.scale).softmax(-1)[0]


def assert_close(ours, theirs):
    ours, theirs = (torch.as_tensor(value) for value in (ours, theirs))
    assert ours.shape == theirs.shape
    assert torch.isfinite(theirs).all()
    assert (ours - theirs).abs().max() <= WITHIN * theirs.abs().max()


def assert_same(theirs, ours, pixels):
    """Outputs and every layer's attention weights, for one image."""
    pooled = []
    handle = (
        theirs.attn_pool.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
        if getattr(theirs, "attn_pool", None)
        else contextlib.nullcontext()
    )
    with handle, their_weights(theirs) as weights:
        output = theirs(pixels[None])[0]
    trace = ours.trace(pixels)
    assert_close(trace.output, output)
    assert_close(ours(pixels[None])[0], output)
    assert (trace.layers, trace.heads) == (len(weights), weights[0].shape[1])
    for layer, expected in enumerate(weights):
        assert_close(trace.attention(layer), expected[0])
        assert_close(trace.attention(layer, head=1, query=2), expected[0, 1, 2])
    if pooled:
        expected = their_pooling(theirs, pooled[0])
        assert_close(trace.attention("pool")[..., -expected.shape[-1] :], expected)
        assert not trace.attention("pool")[..., : -expected.shape[-1]].any()


def check(name, full_width):
    theirs = randomised(timm.create_model(name, **small(name, full_width)))
    before = {key: value.clone() for key, value in theirs.state_dict().items()}
    ours = vitviz.from_timm(theirs)
    random = torch.Generator().manual_seed(1)
    trained = ours.config.grid
    assert trained == GRIDS[0]
    for rows, columns in (trained, GRIDS[1]):
        pixels = torch.randn(3, rows * ours.config.patch_size, columns * ours.config.patch_size, generator=random)
        if (rows, columns) != trained and hasattr(theirs, "set_input_size"):
            theirs.set_input_size(tuple(pixels.shape[1:]))
        assert_same(theirs, ours, pixels)
        if (rows, columns) == trained:  # nothing about the original has changed
            assert all(torch.equal(value, before[key]) for key, value in theirs.state_dict().items())


def test_the_family_is_complete():
    """Nothing was left out of the list: 251 architectures of timm 1.0.31's four modules, and their neighbours."""
    assert len(PLAIN) >= 251
    assert (len(HYBRID), len(NAFLEX)) >= (14, 14)


def each_size_once(names):
    """The names; of those that differ in the trained size of the image alone, which is set here, the first."""
    seen = set()
    for name in names:
        shape = re.sub(r"_\d{3,4}(?=$|_)", "", name)
        yield exhaustive(name) if shape in seen else name
        seen.add(shape)


@pytest.mark.parametrize("name", each_size_once([*PLAIN, *HYBRID, *NAFLEX]))
def test_the_same_numbers_as_timm(name, tally, request):
    tally[name] = False
    check(name, full_width=request.config.getoption("--all"))
    tally[name] = True
