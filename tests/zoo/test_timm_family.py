"""Every plain Vision Transformer of timm has the same output after conversion; other models are refused by name.

All architectures are tested with two layers and random weights, on two small grids of which one is not square. The
embed_dim is small where timm allows it, and of names that differ only in the image size one is tested. `--all`
(`make test-all`) tests each name at its own embed_dim.
"""

import contextlib
import re

import pytest
import timm
import torch

import vitviz
from tests.support.exhaustive import exhaustive

pytestmark = pytest.mark.slow

PLAIN = [name for module in ("vision_transformer", "deit", "beit", "eva") for name in timm.list_models(module=module)]
HYBRID = timm.list_models(module="vision_transformer_hybrid")
NAFLEX = timm.list_models(module="naflexvit")
GRIDS = ((3, 4), (5, 2))
WITHIN = 1e-5  # relative to the largest number


@pytest.fixture(scope="module")
def tally(request):
    """Result for each architecture; a summary is printed at the end."""
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
    """Options for a small model of an architecture: two layers, a small grid and, if possible, a small embed_dim."""
    with torch.device("meta"):
        model = timm.create_model(name)
    options = {"depth": 2}
    if name in NAFLEX:
        options["pos_embed_grid_size"] = GRIDS[0]
    else:
        patch = model.patch_embed.feat_ratio()
        options["img_size"] = tuple(side * patch for side in GRIDS[0])
    if not full_width and name != "vit_base_mci_224":  # its stem depends on embed_dim
        options |= {"embed_dim": 96, "num_heads": 3}
    shared = [
        block.attn.num_kv_heads for block in model.blocks if hasattr(getattr(block, "attn", None), "num_kv_heads")
    ]
    if shared:  # number of key and value heads of each block
        heads = options.get("num_heads", max(shared))
        options["num_kv_heads"] = (heads, heads if len(set(shared)) == 1 else 1)
    return options


def randomised(model):
    """Model in evaluation mode with random weights, none of which has a special value such as 0."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            inputs = (
                parameter[0].numel() if parameter.ndim > 1 else 100
            )  # so that activations do not grow with embed_dim
            parameter.add_(torch.randn(parameter.shape, generator=random) / max(100, inputs) ** 0.5)
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False  # the explicit path, in which hooks can read the weights
    return model.eval().requires_grad_(False)


@contextlib.contextmanager
def their_weights(model):
    """Attention weights computed by timm's modules, one entry per layer, [batch, head, query, key]."""
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
    """Attention weights of timm's attention pooling, [head, 1, key]."""
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
    """Compare the outputs and the attention weights of all layers for one image."""
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
        if (rows, columns) == trained:  # the original is unchanged
            assert all(torch.equal(value, before[key]) for key, value in theirs.state_dict().items())


def test_the_family_is_complete():
    """The list has all 251 architectures of timm 1.0.31's four modules, and the related ones."""
    assert len(PLAIN) >= 251
    assert (len(HYBRID), len(NAFLEX)) >= (14, 14)


def each_size_once(names):
    """The names, without those that differ from another one only in the image size."""
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
