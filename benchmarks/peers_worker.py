"""The rivals, answering face by face: what `benchmarks.rivals` starts with the rivals' own Python.

Nothing of the product is imported here. Over standard input comes one JSON line a request, followed by the
picture's bytes (RGB, uint8); one JSON line goes back. Everything that the libraries print goes to stderr.

    {"ask": "dlib", "way": "box", "region": [x, y, width, height, angle], "repeats": 3, "shape": [h, w, 3]}
    {"faces": [[[x, y], … 68], …], "regions": [[x, y, width, height, angle], …], "wall": [s, …], "cpu": [s, …]}

Ways: ``box`` one face in a given region, ``detector`` every face of a picture, ``plain detector`` the same of dlib
in a picture that is not enlarged, ``regions`` every face, and where the rival itself looked for the points,
``stream`` the next picture of a video (``restart`` begins another), ``network`` a bare run of the network alone. A
region is centre, size and angle (radians, clockwise as seen), in pixels. ``wall`` and ``cpu`` are the seconds of each
repeat after a first one that does not count; without repeats, of the only one.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

# Faces that MediaPipe may find in a picture: with one, it can take another than the labelled one.
MOST_FACES = 5

# MediaPipe's mesh to the 68 points, counted from 0: one point, or the middle of two. The correspondence of Peizhi
# Yan, https://github.com/PeizhiYan/Mediapipe_2_Dlib_Landmarks, named in MediaPipe's own issue 4490 and copied most.
MESH_TO_68: tuple[tuple[int, ...], ...] = (
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,)),
    *((400,), (379,), (365,), (397, 288), (361,), (323,), (454,), (356,)),
    *((70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,)),
    *((168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,)),
    *((33,), (160,), (158,), (133,), (153,), (144,), (362,), (385,), (387,), (263,), (373,), (380,)),
    *((61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,)),
    *((78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,)),
)
_FIRST = [numbers[0] for numbers in MESH_TO_68]
_LAST = [numbers[-1] for numbers in MESH_TO_68]

# A timed call: () -> raw answer; and what makes faces (and regions) of the answer, untimed.
Call = Callable[[], Any]
Reading = Callable[[Any], dict[str, Any]]


class Dlib:
    """dlib's HOG detector and the regression trees of ``shape_predictor_68_face_landmarks.dat``."""

    def __init__(self) -> None:
        import dlib

        self._dlib = dlib
        spec = importlib.util.find_spec("face_recognition_models")
        if spec is None or spec.origin is None:
            raise ImportError("face_recognition_models is not installed")
        models = Path(spec.origin).parent / "models"
        self._predictor = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
        self._detector = dlib.get_frontal_face_detector()

    def prepare(self, way: str, image: np.ndarray, region: list[float]) -> tuple[Call, Reading]:
        """What is timed for a request, and how its answer is read."""
        if way == "box":
            x, y, width, height, _ = region
            sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            rectangle = self._dlib.rectangle(*(round(side) for side in sides))
            return lambda: [(rectangle, self._predictor(image, rectangle))], self._read
        if way in ("detector", "regions"):
            return lambda: self._find(image), self._read
        if way == "plain detector":
            return lambda: self._find(image, 0), self._read
        raise ValueError(f"dlib is not asked for '{way}'")

    def _find(self, image: np.ndarray, enlarged: int = 1) -> list[Any]:
        # Enlarged once, as face_recognition does: the detector sees no face below 80 px, and half of these are.
        return [(found, self._predictor(image, found)) for found in self._detector(image, enlarged)]

    def _read(self, answer: list[Any]) -> dict[str, Any]:
        faces = [[[part.x, part.y] for part in shape.parts()] for _, shape in answer]
        corners = [(found.left(), found.top(), found.right(), found.bottom()) for found, _ in answer]
        regions = [[(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, 0.0] for x0, y0, x1, y1 in corners]
        return {"faces": faces, "regions": regions}


class Mesh:
    """MediaPipe's Face Mesh: the solution itself, and its landmark stage alone on a region that is given.

    Points are MediaPipe's shares of the picture times its size, as everybody takes them.
    """

    def __init__(self, attention: bool) -> None:
        from mediapipe.python.solution_base import SolutionBase
        from mediapipe.python.solutions import face_mesh

        self._attention = attention
        self._folder = Path(face_mesh.__file__).parents[2] / "modules" / "face_landmark"
        self._still = face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=MOST_FACES, refine_landmarks=attention
        )
        self._stream = face_mesh.FaceMesh(
            static_image_mode=False, max_num_faces=1, refine_landmarks=attention
        )
        # The same graph, telling also where it looked; not timed.
        self._telling = SolutionBase(
            binary_graph_path="mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb",
            side_inputs={
                "num_faces": MOST_FACES,
                "with_attention": attention,
                "use_prev_landmarks": False,
            },
            outputs=["multi_face_landmarks", "face_rects_from_landmarks"],
        )
        self._time = 0
        self._given: dict[str, Any] = {}
        self._graph = self._landmark_graph()
        self._network: Any = None

    def restart(self) -> None:
        """Another video begins."""
        self._stream.reset()

    def prepare(self, way: str, image: np.ndarray, region: list[float]) -> tuple[Call, Reading]:
        """What is timed for a request, and how its answer is read."""
        height, width = image.shape[:2]

        def read(answer: Any) -> dict[str, Any]:
            lists = answer.multi_face_landmarks or []
            rects = getattr(answer, "face_rects_from_landmarks", None) or []
            return {
                "faces": [self._points(one, width, height) for one in lists],
                "regions": [
                    [r.x_center * width, r.y_center * height, r.width * width, r.height * height, r.rotation]
                    for r in rects
                ],
            }

        if way == "box":
            rect = self._rect(region, width, height)
            return lambda: self._run_given(image, rect), lambda found: {
                "faces": [] if found is None else [self._points(found, width, height)]
            }
        if way == "network":
            if self._network is None:
                self._network = self._bare_network()
            return self._network.invoke, lambda _: {"faces": []}
        if way == "regions":
            return lambda: self._telling.process({"image": image}), read
        if way in ("detector", "stream"):
            solution = self._still if way == "detector" else self._stream
            return lambda: solution.process(image), read
        raise ValueError(f"mediapipe is not asked for '{way}'")

    @staticmethod
    def _points(found: Any, width: int, height: int) -> list[list[float]]:
        mesh = np.array([(point.x * width, point.y * height) for point in found.landmark])
        points: list[list[float]] = np.round((mesh[_FIRST] + mesh[_LAST]) / 2, 4).tolist()
        return points

    @staticmethod
    def _rect(region: list[float], width: int, height: int) -> Any:
        from mediapipe.framework.formats import rect_pb2

        x, y, w, h, angle = region
        return rect_pb2.NormalizedRect(
            x_center=x / width, y_center=y / height, width=w / width, height=h / height, rotation=angle
        )

    def _landmark_graph(self) -> Any:
        """MediaPipe's own landmark stage (crop, network, points) as a graph of one node."""
        from google.protobuf import text_format
        from mediapipe.framework import calculator_pb2
        from mediapipe.python import packet_creator
        from mediapipe.python._framework_bindings import calculator_graph

        config = text_format.Parse(
            """
            input_stream: "image" input_stream: "roi" input_side_packet: "with_attention"
            output_stream: "landmarks"
            node {
              calculator: "FaceLandmarkCpu" input_stream: "IMAGE:image" input_stream: "ROI:roi"
              input_side_packet: "WITH_ATTENTION:with_attention" output_stream: "LANDMARKS:landmarks"
            }
            """,
            calculator_pb2.CalculatorGraphConfig(),
        )
        graph = calculator_graph.CalculatorGraph(graph_config=config)
        graph.observe_output_stream("landmarks", self._given.__setitem__, True)
        graph.start_run({"with_attention": packet_creator.create_bool(self._attention)})
        return graph

    def _run_given(self, image: np.ndarray, rect: Any) -> Any:
        from mediapipe.python import packet_creator, packet_getter
        from mediapipe.python._framework_bindings import image_frame

        self._time += 1
        self._given.clear()
        packet = packet_creator.create_image_frame(image_format=image_frame.ImageFormat.SRGB, data=image)
        self._graph.add_packet_to_input_stream("image", packet.at(self._time))
        self._graph.add_packet_to_input_stream("roi", packet_creator.create_proto(rect).at(self._time))
        self._graph.wait_until_idle()
        found = self._given["landmarks"]
        return None if found.is_empty() else packet_getter.get_proto(found)

    def _bare_network(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        if self._attention:
            raise ValueError("the network with attention has operators that only MediaPipe itself runs")
        network = Interpreter(str(self._folder / "face_landmark.tflite"), num_threads=1)
        network.allocate_tensors()
        wanted = network.get_input_details()[0]
        noise = np.random.default_rng(0).random(tuple(wanted["shape"]), np.float32)
        network.set_tensor(wanted["index"], noise)
        return network


def timed(call: Call, repeats: int) -> tuple[Any, list[float], list[float]]:
    """The first answer, and the wall and processor seconds of each of ``repeats`` more calls; of the first if 0."""
    answers, wall, cpu = [], [], []
    for _ in range(repeats + 1):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        answers.append(call())
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
    uncounted = min(repeats, 1)
    return answers[0], wall[uncounted:], cpu[uncounted:]


def answer(systems: dict[str, Any], request: dict[str, Any], image: np.ndarray) -> dict[str, Any]:
    """The reply to one request."""
    system = systems[request["ask"]]
    if request.get("restart"):
        system.restart()
    call, read = system.prepare(request["way"], image, request.get("region") or [])
    found, wall, cpu = timed(call, request["repeats"])
    return {**read(found), "wall": wall, "cpu": cpu}


def serve(systems: dict[str, Any], requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the requests end."""
    while line := requests.readline():
        request = json.loads(line)
        shape = request["shape"]
        image = np.frombuffer(requests.read(int(np.prod(shape))), np.uint8).reshape(shape)
        try:
            reply = answer(systems, request, image)
        except Exception as error:  # reported to the caller, which ends the run
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


def main() -> None:
    """Open the rivals, say what they are, serve."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # the libraries may print
    try:
        systems = {
            "dlib": Dlib(),
            "mediapipe mesh": Mesh(attention=False),
            "mediapipe attention mesh": Mesh(attention=True),
        }
        packages = ("dlib-bin", "face_recognition_models", "mediapipe", "ai-edge-litert", "numpy")
        hello: dict[str, Any] = {"versions": {name: version(name) for name in packages}}
    except ImportError as error:
        systems, hello = {}, {"error": f"{type(error).__name__}: {error}"}
    replies.write(json.dumps(hello).encode() + b"\n")
    replies.flush()
    if systems:
        serve(systems, sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
