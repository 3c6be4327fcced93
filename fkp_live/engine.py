"""The two networks of a pipeline: face detector and landmark network, opened once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import ArrayLike

from fkp_live import __version__
from fkp_live.choices import PipelineOptions
from fkp_live.faces.detector import USUAL_FACE, USUAL_SIZE, FaceDetector, YuNet
from fkp_live.faces.expression import ExpressionNetwork
from fkp_live.faces.eyes import EyeNetwork
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.geometry import CropSpec, Matrix
from fkp_live.inference.models import PICTURE_MODEL, models_dir, resolve_model, stream_model
from fkp_live.inference.session import Session, open_session
from fkp_live.types import Image, Landmarks, Picture, SourceInfo


def _portable(model: str | Path | None) -> str | Path | None:
    """The model under a name that holds in other folders and, for a shipped one, on other machines."""
    if model is None or resolve_model(model).parent == models_dir():
        return model
    return resolve_model(model).absolute()


def _open_again(provider: str, model: str | Path | None, threads: int, min_face: float | None) -> Engine:
    return Engine(provider, model, threads, min_face=min_face)


class Network(Protocol):
    """A landmark network; `LandmarkNetwork` is one."""

    spec: CropSpec

    def __call__(self, picture: Image | Picture, boxes: ArrayLike) -> Landmarks:
        """Landmarks of the faces in N boxes."""

    def run_matrices(self, picture: Image | Picture, matrices: Sequence[Matrix]) -> Landmarks:
        """Landmarks of the faces in the crops given by N affines."""


class Engine:
    """Detector and landmark network. Pipelines and threads may share one; they take turns at the networks.

    Parameters
    ----------
    provider : execution provider, one of `choices.PROVIDERS`
    model : name of a shipped landmark network, path of an .onnx file, or None for fkp68
    threads : threads inside one operator of the networks
    min_face : side in pixels of the smallest face to detect; None: 40, or a 24th of the picture's longer side where
        that is more
    detector, network : used instead of the shipped ones

    Attributes
    ----------
    detector, network : the two networks

    Raises
    ------
    ModelError, ProviderError
        See `open_session`.

    Example
    -------
    >>> engine = Engine(provider="cpu")
    >>> left, right = Pipeline(engine=engine), Pipeline(engine=engine)
    """

    def __init__(
        self,
        provider: str = "auto",
        model: str | Path | None = None,
        threads: int = 1,
        *,
        min_face: float | None = None,
        detector: FaceDetector | None = None,
        network: Network | None = None,
    ) -> None:
        self._session: Session | None = None
        given = detector is not None or network is not None
        # What it takes to open the same again, in another process too.
        self._opening = None if given else (provider, _portable(model), threads, min_face)
        if network is None:
            self._session = open_session(resolve_model(model), provider, threads)
            network = LandmarkNetwork(self._session)
        # By the longer side of its copies, see `turned_detector`.
        self._turned: dict[int, FaceDetector] = {}
        self._min_face = min_face
        self._yunet: Session | None = None
        if detector is None:
            self._yunet = session = open_session(resolve_model("yunet"), provider, threads)
            if min_face is None:
                detector = YuNet(session, min_face=USUAL_FACE, most_size=USUAL_SIZE)
            else:
                detector = YuNet(session, min_face=min_face)
        self.detector: FaceDetector = detector
        self.network: Network = network
        self._expressions: dict[str, ExpressionNetwork] = {}
        self._eyes: EyeNetwork | None = None
        self._for_expressions = (provider, threads)
        self._first = threading.Lock()

    @classmethod
    def for_streams(cls, options: PipelineOptions) -> Engine:
        """The engine of a stream: where ``options`` name no model, the one of `stream_model`."""
        if options.model is not None:
            return cls(options.provider, options.model, options.threads, min_face=options.min_face)
        model = stream_model(options.provider)
        engine = cls(options.provider, model, options.threads, min_face=options.min_face)
        if engine.provider == "cpu" and model != stream_model("cpu"):
            # Another provider was listed, but does not run: then it is the CPU's own network that is wanted.
            detector, opening = engine.detector, (options.provider, stream_model("cpu"), options.threads)
            yunet, engine = engine._yunet, cls(*opening, detector=detector)
            engine._yunet, engine._min_face = yunet, options.min_face
            engine._opening = (*opening, options.min_face)
        return engine

    @classmethod
    def for_pictures(cls, options: PipelineOptions) -> Engine:
        """The engine of single pictures: where ``options`` name no model, the network that is most accurate."""
        model = PICTURE_MODEL if options.model is None else options.model
        return cls(options.provider, model, options.threads, min_face=options.min_face)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its options: whoever unpickles it opens the networks anew."""
        if self._opening is None:
            raise TypeError("an Engine with a detector or network of the caller's cannot be pickled")
        return _open_again, self._opening

    def turned_detector(self, size: int) -> FaceDetector | None:
        """A detector for turned copies of pictures, of at most ``size`` pixels on the longer side.

        It is another one than ``detector``, whoever shares that. None where a detector of the caller's was given.
        """
        if self._yunet is None:
            return None
        with self._first:
            if size not in self._turned:
                face = USUAL_FACE if self._min_face is None else self._min_face
                self._turned[size] = YuNet(self._yunet, min_face=face, work_size=size, most_size=size)
            return self._turned[size]

    @property
    def expressions(self) -> ExpressionNetwork:
        """The expression network of streams; opened when it is asked for the first time.

        Raises
        ------
        ModelError, ProviderError
            See `open_session`.
        """
        return self._expression_network("fkp-expression")

    @property
    def picture_expressions(self) -> ExpressionNetwork:
        """The larger expression network, for single pictures; opened and raises as `expressions`."""
        return self._expression_network("fkp-expression-large")

    def _expression_network(self, name: str) -> ExpressionNetwork:
        with self._first:
            if name not in self._expressions:
                session = open_session(resolve_model(name), *self._for_expressions)
                self._expressions[name] = ExpressionNetwork(session)
            return self._expressions[name]

    @property
    def eyes(self) -> EyeNetwork:
        """The eye network; opened when it is asked for the first time.

        Raises
        ------
        ModelError
            See `open_session`.
        """
        with self._first:
            if self._eyes is None:
                # On the CPU, whatever runs the others: the way to another device takes longer than the network.
                self._eyes = EyeNetwork(open_session(resolve_model("fkp-eyes"), "cpu"))
            return self._eyes

    @property
    def knows_turned(self) -> float:
        """How far the landmark network's confidence holds for turned faces, 0 to 1, as it says of itself."""
        return float(getattr(self.network, "knows_turned", 0.0))

    @property
    def provider(self) -> str:
        """Execution provider that really runs the landmark network, "given" for a network of the caller."""
        return self._session.provider if self._session else "given"

    @property
    def note(self) -> str:
        """One line: which provider was taken and why."""
        return self._session.note if self._session else "a network given by the caller"

    @property
    def model_name(self) -> str:
        """Name of the landmark network."""
        if self._session is None:
            return type(self.network).__name__
        return str(self._session.metadata.get("name", self._session.path.stem))

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the landmark network's file, empty for a network given by the caller."""
        return self._session.sha256 if self._session else ""

    @property
    def model_licence(self) -> str:
        """Licence of the landmark network as its file states it, empty where none is stated."""
        return "" if self._session is None else str(self._session.metadata.get("licence", ""))


def recording_header(info: SourceInfo, engine: Engine, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a recording says of itself: version, source, network, provider and options.

    Parameters
    ----------
    info : of the source
    options : those that shaped the results
    """
    return {
        "version": __version__,
        "source": {
            **{"name": info.name, "width": info.width, "height": info.height, "fps": info.fps},
            "origin": info.origin,
        },
        "model": {
            "name": engine.model_name,
            "sha256": engine.model_sha256,
            "licence": engine.model_licence,
        },
        "provider": engine.provider,
        "options": dict(options),
    }
