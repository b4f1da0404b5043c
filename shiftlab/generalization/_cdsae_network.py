"""Networks of the sequential autoencoder; importing this module imports PyTorch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "Blocks",
    "Discriminator",
    "SequentialAutoencoder",
    "Sizes",
    "gaussian_kl",
    "initialise",
    "network_of",
]

#: Bounds of log variances: outside them exponentials lose all accuracy.
LEAST_LOG, MOST_LOG = -8.0, 4.0


@dataclass(frozen=True)
class Sizes:
    """Numbers of everything in the network."""

    n_features: int
    n_attributes: int
    n_classes: int
    n_semantic: int
    n_environment: int
    n_codes: int
    n_hidden: int
    withhold: bool


@dataclass(frozen=True)
class Blocks:
    """Means and log variances of the four latent blocks: u_s, u_ns, u_v1, u_v2."""

    means: tuple[Tensor, ...]
    logs: tuple[Tensor, ...]

    def sample(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw by reparameterisation."""
        drawn = []
        for mean, log in zip(self.means, self.logs, strict=True):
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            drawn.append(mean + torch.exp(0.5 * log) * noise)
        return tuple(drawn)


def gaussian_kl(mean: Tensor, log: Tensor, prior_mean: Tensor, prior_log: Tensor) -> Tensor:
    """Return KL(N(mean, exp log) || N(prior)), summed over dimensions, one number for each row."""
    ratio = (torch.exp(log) + (mean - prior_mean) ** 2) / torch.exp(prior_log)
    return 0.5 * (prior_log - log + ratio - 1).sum(dim=-1)


def _network(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(n_in, n_hidden), nn.LeakyReLU(), nn.Linear(n_hidden, n_hidden), nn.LeakyReLU(),
        nn.Linear(n_hidden, n_out),
    )  # fmt: skip


class SequentialAutoencoder(nn.Module):
    """Encoders, sequential priors, decoder and classifier."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        s, e, h = sizes.n_semantic, sizes.n_environment, sizes.n_hidden
        self.sizes = sizes
        seen = sizes.n_features + (0 if sizes.withhold else sizes.n_attributes)
        self.encode_s = _network(seen, h, 2 * s)
        self.encode_ns = _network(sizes.n_features, h, 2 * s)
        self.encode_v1 = _network(sizes.n_features + sizes.n_attributes, h, 2 * e)
        self.encode_v2 = _network(sizes.n_features, h, 2 * e)
        self.decoder = _network(2 * (s + e) + sizes.n_attributes, h, sizes.n_features)
        self.classifier = _network(2 * s + sizes.n_codes, h, sizes.n_classes)
        self.prior_cell = nn.LSTMCell(4 * e + sizes.n_codes, h)
        self.prior_head = nn.Linear(h, 4 * e + sizes.n_codes)
        self.code_of_labels = nn.Linear(sizes.n_classes, sizes.n_codes)

    def encode(self, x: Tensor, a: Tensor) -> Blocks:
        """Encode rows; the semantic encoders do not see the attribute if it is withheld."""
        both = torch.cat([x, a], dim=1)
        outputs = [
            self.encode_s(x if self.sizes.withhold else both),
            self.encode_ns(x),
            self.encode_v1(both),
            self.encode_v2(x),
        ]
        parts = [out.chunk(2, dim=1) for out in outputs]
        return Blocks(
            tuple(mean for mean, _ in parts),
            tuple(log.clamp(LEAST_LOG, MOST_LOG) for _, log in parts),
        )

    def decode(self, u: tuple[Tensor, ...], a: Tensor) -> Tensor:
        """Decode latent blocks and attributes to features."""
        return self.decoder(torch.cat([*u, a], dim=1))

    def classify(self, u: tuple[Tensor, ...], code: Tensor) -> Tensor:
        """Return logits from the semantic blocks and the code of the domain."""
        return self.classifier(torch.cat([u[0], u[1], code], dim=1))

    def latent(self, rows: Any) -> np.ndarray:
        """Return the means of the blocks of rows, side by side."""
        with torch.no_grad():
            return np.asarray(torch.cat(self.encode(rows.x, rows.a).means, dim=1).double().cpu())

    def scores(self, u: np.ndarray, step: Tensor) -> np.ndarray:
        """Return class probabilities from latent terms and the steps of domains."""
        with torch.no_grad():
            codes = torch.softmax(self.priors(int(step.max()) + 1)[2], dim=1)
            logits = self.classify(self._split(u, step.device), codes[step])
            return np.asarray(torch.softmax(logits.double(), dim=1).cpu())

    def expected(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return prior means and standard deviations of the latent terms at steps of domains."""
        with torch.no_grad():
            means, logs, _ = self.priors(int(steps.max()) + 1)
        still = np.zeros((len(steps), 2 * self.sizes.n_semantic))
        mean = np.column_stack([still, means.double().cpu().numpy()[steps]])
        return mean, np.exp(0.5 * np.column_stack([still, logs.double().cpu().numpy()[steps]]))

    def decoded(self, u: np.ndarray, a: Tensor) -> np.ndarray:
        """Return the decoded rows of latent terms."""
        with torch.no_grad():
            return np.asarray(self.decode(self._split(u, a.device), a).double().cpu())

    def _split(self, u: np.ndarray, device: torch.device) -> tuple[Tensor, ...]:
        s, e = self.sizes.n_semantic, self.sizes.n_environment
        whole = torch.as_tensor(u, dtype=torch.float32, device=device)
        return torch.split(whole, [s, s, e, e], dim=1)

    def priors(self, n_steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Roll the prior over domains: means, log variances (n_steps, 2 e) and code logits.

        Gradients go back through all steps.
        """
        e = self.sizes.n_environment
        device = self.prior_head.weight.device
        previous = torch.zeros(1, 4 * e + self.sizes.n_codes, device=device)
        state = None
        steps = []
        for _ in range(n_steps):
            state = self.prior_cell(previous, state)
            previous = self.prior_head(state[0])
            steps.append(previous[0])
        joined = torch.stack(steps)
        return (
            joined[:, : 2 * e],
            joined[:, 2 * e : 4 * e].clamp(LEAST_LOG, MOST_LOG),
            joined[:, 4 * e :],
        )


class Discriminator(nn.Module):
    """Tells joint samples of blocks and attribute from samples with shuffled blocks."""

    def __init__(self, n_in: int, n_hidden: int) -> None:
        super().__init__()
        self.network = _network(n_in, n_hidden, 1)

    def forward(self, z: Tensor) -> Tensor:
        """Return logits."""
        return self.network(z)[:, 0]


def network_of(sizes: Sizes, weights: dict[str, np.ndarray], device: str) -> SequentialAutoencoder:
    """Build a network with given weights; nothing is drawn from the global generator."""
    with torch.random.fork_rng(devices=[]):
        network = SequentialAutoencoder(sizes)
    network.load_state_dict({name: torch.as_tensor(w) for name, w in weights.items()})
    return network.to(device).eval()


def initialise(module: nn.Module, rng: np.random.Generator) -> None:
    """Set weights from a generator of NumPy, so that equal seeds give equal networks anywhere."""
    with torch.no_grad():
        for parameter in module.parameters():
            fan = parameter.shape[-1] if parameter.ndim > 1 else len(parameter)
            values = rng.uniform(-1, 1, tuple(parameter.shape)) / np.sqrt(fan)
            parameter.copy_(torch.as_tensor(values if parameter.ndim > 1 else 0 * values))
