"""ResNet: what its last stage says where it is dilated."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from posewright.models import resnet  # noqa: E402


def test_a_dilated_stage_reads_what_it_did_at_every_pixel():
    """At every second pixel it says what the undilated one says there, with the same weights."""
    torch.manual_seed(0)
    straight, dilated = (resnet.ResNet((1, 1, 1, 3)).eval().double() for _ in range(2))
    dilated.load_state_dict(straight.state_dict())
    resnet.dilated(dilated)
    with torch.inference_mode():
        images = torch.randn(1, 3, 64, 128, dtype=torch.float64)
        wanted, found = straight(images), dilated(images)
    assert found.shape == (1, 2048, 4, 8)
    np.testing.assert_allclose(found[..., ::2, ::2], wanted, rtol=1e-9, atol=1e-9)
