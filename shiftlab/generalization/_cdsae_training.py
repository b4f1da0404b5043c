"""Training of the sequential autoencoder: losses, early stopping, checkpoints.

Importing this module imports PyTorch.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shiftlab._core.progress import Progress, progress_ticker
from shiftlab.generalization._cdsae_network import (
    Blocks,
    Discriminator,
    SequentialAutoencoder,
    Sizes,
    gaussian_kl,
    initialise,
)

__all__ = ["Options", "Rows", "Trained", "rows_of", "train"]

#: Batches of an epoch, however few rows there are.
LEAST_BATCHES = 25
#: What a gap between groups costs in the choice of the epoch; much more would choose constants.
GAP_WEIGHT = 1.0


@dataclass(frozen=True)
class Rows:
    """Rows as tensors; `step` is the number of the domain."""

    x: Tensor
    a: Tensor
    y: Tensor
    step: Tensor

    def take(self, rows: Tensor | np.ndarray) -> "Rows":
        """Keep rows."""
        rows = torch.as_tensor(rows, device=self.x.device)
        return Rows(self.x[rows], self.a[rows], self.y[rows], self.step[rows])


def rows_of(
    x: np.ndarray, design: np.ndarray, labels: np.ndarray, step: np.ndarray, device: str
) -> Rows:
    """Make tensors of arrays."""
    return Rows(
        torch.as_tensor(x, dtype=torch.float32, device=device),
        torch.as_tensor(design, dtype=torch.float32, device=device),
        torch.as_tensor(labels, device=device),
        torch.as_tensor(step, device=device),
    )


@dataclass(frozen=True)
class Options:
    """Weights and lengths of the training."""

    fairness: str
    fairness_weight: float
    tc_weight: float
    label_weight: float
    learning_rate: float
    batch_per_domain: int
    max_epochs: int
    patience: int
    checkpoint: str | None
    progress: Progress


@dataclass(frozen=True)
class Trained:
    """The network with its best weights, and the history of its training."""

    network: SequentialAutoencoder
    history: list[dict[str, float]]
    best_epoch: int


def train(source: Rows, held: Rows | None, sizes: Sizes, options: Options, seed: int) -> Trained:
    """Train on source rows; stop when the loss and gap on held rows no longer fall."""
    with torch.random.fork_rng(devices=[]):  # building a module draws from the global generator
        network = SequentialAutoencoder(sizes)
        discriminator = Discriminator(2 * sizes.n_semantic + sizes.n_attributes, sizes.n_hidden)
    rng = np.random.default_rng(seed)
    for module in (network, discriminator):
        initialise(module, rng)
        module.to(source.x.device)
    optimisers = [
        torch.optim.Adam(m.parameters(), lr=options.learning_rate) for m in (network, discriminator)
    ]
    state = _State(network, discriminator, optimisers)
    if options.checkpoint is not None:
        state.resume(options.checkpoint)
    # Equal weights for domains: batches draw the same number of rows from each.
    domains = [torch.nonzero(source.step == t)[:, 0] for t in torch.unique(source.step)]
    with progress_ticker(options.max_epochs, "epochs", options.progress) as ticker:
        ticker.step(state.epoch)
        while state.epoch < options.max_epochs and state.stale < options.patience:
            _epoch(state, source, domains, options, seed + 1 + state.epoch)
            state.note(_judge(network, held if held is not None else source, options))
            ticker.step()
            if options.checkpoint is not None:
                state.save(options.checkpoint)
    network.load_state_dict(state.best)
    network.eval()
    return Trained(network, state.history, state.best_epoch)


class _State:
    """Everything that a resumed training needs."""

    def __init__(self, network: nn.Module, discriminator: nn.Module, optimisers: list[Any]) -> None:
        self.network, self.discriminator, self.optimisers = network, discriminator, optimisers
        self.epoch = self.best_epoch = self.stale = 0
        self.history: list[dict[str, float]] = []
        self.best = copy.deepcopy(network.state_dict())

    def note(self, judged: dict[str, float]) -> None:
        """Record an epoch; keep a real copy of the weights if it is the best so far."""
        self.epoch += 1
        best = min((row["criterion"] for row in self.history), default=float("inf"))
        self.history.append(judged)
        self.stale += 1
        if judged["criterion"] < best:
            self.best = copy.deepcopy(self.network.state_dict())
            self.best_epoch, self.stale = self.epoch, 0

    def save(self, path: str) -> None:
        """Write arrays only; nothing in the file can be executed."""
        arrays: dict[str, np.ndarray] = {
            "counts": np.array([self.epoch, self.best_epoch, self.stale]),
            "history": np.array([[r["criterion"], r["loss"], r["gap"]] for r in self.history]),
        }
        for name, weights in self._weights().items():
            arrays |= {f"{name}/{k}": v.detach().cpu().numpy() for k, v in weights.items()}
        for i, optimiser in enumerate(self.optimisers):
            for j, moments in optimiser.state_dict()["state"].items():
                arrays |= {f"adam{i}/{j}/{k}": v.cpu().numpy() for k, v in moments.items()}
        partial = Path(f"{path}.part")
        with partial.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
        partial.replace(path)

    def _weights(self) -> dict[str, dict[str, Tensor]]:
        return {
            "network": self.network.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "best": self.best,
        }

    def resume(self, path: str) -> None:
        """Go on from a checkpoint if there is one."""
        if not Path(path).is_file():
            return
        with np.load(path) as stored:
            arrays = {key: stored[key] for key in stored.files}
        self.epoch, self.best_epoch, self.stale = (int(v) for v in arrays["counts"])
        names = ("criterion", "loss", "gap")
        self.history = [dict(zip(names, row, strict=True)) for row in arrays["history"].tolist()]
        for name, weights in self._weights().items():
            for key, value in weights.items():
                value.copy_(torch.as_tensor(arrays[f"{name}/{key}"]))
        for i, optimiser in enumerate(self.optimisers):
            state = optimiser.state_dict()
            found: dict[int, dict[str, Tensor]] = {}
            for key, value in arrays.items():
                if key.startswith(f"adam{i}/"):
                    _, number, moment = key.split("/")
                    found.setdefault(int(number), {})[moment] = torch.as_tensor(value)
            optimiser.load_state_dict({**state, "state": found})


def _epoch(state: _State, source: Rows, domains: list[Tensor], options: Options, seed: int) -> None:
    """Go once through the rows, in batches with the same number from each domain."""
    device = source.x.device
    generator = torch.Generator(device=device).manual_seed(seed)
    per_domain = options.batch_per_domain
    n_batches = max(LEAST_BATCHES, round(len(source.y) / (per_domain * len(domains))))
    state.network.train()
    for _ in range(n_batches):
        drawn = [
            rows[torch.randint(len(rows), (per_domain,), generator=generator, device=device)]
            for rows in domains
        ]
        batch = source.take(torch.cat(drawn))
        loss, joint = _loss(state.network, state.discriminator, batch, options, generator)
        state.optimisers[0].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
        state.optimisers[0].step()
        if options.tc_weight > 0:
            # The attribute stays with u_s, and u_ns is shuffled: u_s may go with the attribute.
            state.optimisers[1].zero_grad()
            shuffled = _shuffle(joint.detach(), generator, state.network.sizes)  # type: ignore[arg-type]
            logits = state.discriminator(torch.cat([joint.detach(), shuffled]))
            truth = torch.cat([torch.ones(len(joint)), torch.zeros(len(joint))]).to(device)
            functional.binary_cross_entropy_with_logits(logits, truth).backward()
            state.optimisers[1].step()


def _shuffle(joint: Tensor, generator: torch.Generator, sizes: Sizes) -> Tensor:
    order = torch.randperm(len(joint), generator=generator, device=joint.device)
    s = sizes.n_semantic
    return torch.cat([joint[:, :s], joint[order, s : 2 * s], joint[:, 2 * s :]], dim=1)


def _loss(
    network: Any,
    discriminator: nn.Module,
    batch: Rows,
    options: Options,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return the negative ELBO with penalties, and the joint sample of semantics and attribute."""
    blocks = network.encode(batch.x, batch.a)
    u = blocks.sample(generator)
    means, logs, codes = network.priors(int(batch.step.max()) + 1)
    code, code_kl = _codes(network, batch, codes, generator)
    logits = network.classify(u, code)
    error = ((network.decode(u, batch.a) - batch.x) ** 2).sum(dim=1).mean() * 0.5
    zero = torch.zeros(1, device=batch.x.device)
    kl = sum(gaussian_kl(blocks.means[i], blocks.logs[i], zero, zero).mean() for i in (0, 1))
    e = network.sizes.n_environment
    for i, part in ((2, slice(0, e)), (3, slice(e, 2 * e))):
        prior_mean, prior_log = means[batch.step][:, part], logs[batch.step][:, part]
        kl = kl + gaussian_kl(blocks.means[i], blocks.logs[i], prior_mean, prior_log).mean()
    loss = error + kl + code_kl
    loss = loss + options.label_weight * functional.cross_entropy(logits, batch.y)
    joint = torch.cat([u[0], u[1], batch.a], dim=1)
    if options.tc_weight > 0:
        loss = loss + options.tc_weight * discriminator(joint).mean()
    if options.fairness != "none":
        penalty = _unfairness(network, batch, (blocks, u, code, logits), options.fairness)
        loss = loss + options.fairness_weight * penalty
    return loss, joint


def _codes(
    network: Any, batch: Rows, logits: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return codes of domains, half of the time from the prior as in prediction, and their KL."""
    n_steps, n_codes = logits.shape
    one_hot = functional.one_hot(batch.y, network.sizes.n_classes).float()
    counts = torch.zeros(n_steps, device=batch.x.device).index_add(
        0, batch.step, torch.ones(len(batch.y), device=batch.x.device)
    )
    shares = (
        torch.zeros(n_steps, one_hot.shape[1], device=batch.x.device).index_add(
            0, batch.step, one_hot
        )
        / counts.clamp(min=1)[:, None]
    )
    posterior = network.code_of_labels(shares)
    log_q, log_p = functional.log_softmax(posterior, 1), functional.log_softmax(logits, 1)
    seen = counts > 0
    kl = (log_q.exp() * (log_q - log_p)).sum(dim=1)[seen].mean()
    from_prior = torch.rand(1, generator=generator, device=batch.x.device) < 0.5
    chosen = torch.where(from_prior, log_p, log_q)
    uniform = torch.rand((n_steps, n_codes), generator=generator, device=batch.x.device)
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-6, 1 - 1e-6)))
    return functional.softmax(chosen + gumbel, dim=1)[batch.step], kl


def _unfairness(
    network: Any, batch: Rows, parts: tuple[Blocks, Any, Tensor, Tensor], kind: str
) -> Tensor:
    """Return the penalty: the cycle through the other group, the gap of logits, or HSIC."""
    blocks, u, code, logits = parts
    if kind == "cycle":
        order = torch.roll(torch.arange(len(batch.a), device=batch.a.device), 1)
        other = batch.a[order]
        twin = network.encode(network.decode(u, other), other)
        scores = functional.softmax(network.classify(twin.means, code), dim=1)
        return (scores - functional.softmax(logits, dim=1)).abs().sum(dim=1).mean()
    z = network.classify(blocks.means, code)
    first = z[:, -1:] - z[:, :1]
    if kind == "hsic":
        return _hsic(torch.cat([blocks.means[0], blocks.means[1]], dim=1), batch.a)
    if not bool(((batch.a == 0) | (batch.a == 1)).all()):
        return _explained(first[:, 0], batch.a)
    # Symmetric KL between the normal laws of the logit in each group and in the others.
    penalty = torch.zeros((), device=z.device)
    for column in batch.a.T:
        inside = column > 0.5
        if inside.sum() < 2 or (~inside).sum() < 2:
            continue
        (m, v), (n, w) = ((p.mean(), p.var() + 1e-4) for p in (first[inside], first[~inside]))
        penalty = penalty + 0.5 * ((v / w + w / v) / 2 - 1 + (m - n) ** 2 * (1 / v + 1 / w) / 2)
    return penalty


def _explained(score: Tensor, a: Tensor) -> Tensor:
    """Return the share of the variance of scores that numeric attributes explain."""
    design = a - a.mean(dim=0)
    centred = score - score.mean()
    gram = design.T @ design + 1e-6 * len(a) * torch.eye(a.shape[1], device=a.device)
    along = design.T @ centred
    return (along @ torch.linalg.solve(gram, along)) / (centred @ centred + 1e-6)


def _hsic(u: Tensor, a: Tensor) -> Tensor:
    def centred(z: Tensor) -> Tensor:
        gram = torch.exp(-(torch.cdist(z, z) ** 2) / (2 * z.shape[1]))
        return gram - gram.mean(0, keepdim=True) - gram.mean(1, keepdim=True) + gram.mean()

    return (centred(u) * centred(a)).sum() / (len(u) - 1) ** 2


def _judge(network: SequentialAutoencoder, rows: Rows, options: Options) -> dict[str, float]:
    """Return loss and gap of held rows; the criterion adds both, to select no unfairness."""
    network.eval()
    with torch.no_grad():
        blocks = network.encode(rows.x, rows.a)
        codes = functional.softmax(network.priors(int(rows.step.max()) + 1)[2], dim=1)
        logits = network.classify(blocks.means, codes[rows.step])
        loss = float(functional.cross_entropy(logits, rows.y))
        score = functional.softmax(logits, dim=1)[:, -1]
        centred = score - score.mean()
        parts = [c > 0.5 for c in rows.a.T]  # groups, or the upper part of a numeric attribute
        gaps = [abs(float(centred[part].mean())) for part in parts if bool(part.any())]
    gap = max(gaps, default=0.0)
    weight = 0.0 if options.fairness == "none" else GAP_WEIGHT
    return {"criterion": loss + weight * gap, "loss": loss, "gap": gap}
