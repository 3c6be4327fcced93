"""Constants of the tracker, each with its unit and what it was measured on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Thresholds and times of `Tracker`, `SceneCut` and `CropFollower`; the defaults are what ships.

    Lengths called "sides" are in units of the longer side of the face's box. Times are in seconds of the stream.

    Attributes
    ----------
    min_confidence_new : mean confidence of the 68 points, in [0, 1], that a new face needs
    min_confidence_followed : mean confidence below which a followed face is lost; lower than for a new one, so that a
        face near the limit does not come and go
    max_missed : detections in a row that may miss a followed face before it needs the confidence of a new one
    revive_seconds : how long a lost face keeps its id for a detection near its predicted place, never beyond a cut
    search_every : frames from one detection to the next while no face is followed or a lost one may come back
    path_seconds : how far ahead the last known velocity predicts where a face is
    velocity_seconds : time constant of the average that estimates velocity

    match_iou : a detection belongs to a track if their boxes overlap by more than this intersection over union
    match_distance : or if their centres are less than this apart, in sides, and the sizes similar
    match_iou_after_cut : overlap that is needed after a cut, where a face in nearly the same place is somebody else
    recrop_iou : where track and detection overlap by less, the next crop is cut around the detection

    max_growth : largest ratio of the sides of a face in two successive frames
    min_side : least longer side of a face in pixels
    min_aspect, max_aspect : limits of width over height of the box around the points
    min_inside : least share of the 68 points inside the picture

    merge_iou : two tracks whose boxes overlap by more are on one face
    off_path : of two such tracks the one that is farther from its own predicted path is dropped, if the difference is
        more than this many sides; otherwise the younger one
    apart_iou : tracks that overlap by less are apart; only then is the path of each certain

    dead_band : share of its side (and angle in radians) by which the points may move before the crop follows. A crop
        that follows every movement of the points feeds their jitter back to them: on still clips it was 0.72 % of the
        eye distance that way, 0.46 with this dead band, and 0.46 in crops that never moved
    lead_above : a face that moves by more than this many sides from frame to frame is expected where its velocity
        takes it; below, the estimated velocity would only add noise to the crop

    cut_levels : least mean change of luma, in grey levels, that is a cut
    cut_ratio : and how many times the usual change of this stream it must be
    cut_usual_share : share in [0, 1] of each new change in the running average of the usual one
    cut_grid : rows and columns of the coarse grid that is compared
    """

    min_confidence_new: float = 0.35
    min_confidence_followed: float = 0.3
    max_missed: int = 2
    revive_seconds: float = 1.0
    search_every: int = 3
    path_seconds: float = 0.5
    velocity_seconds: float = 0.05

    match_iou: float = 0.2
    match_distance: float = 0.5
    match_iou_after_cut: float = 0.6
    recrop_iou: float = 0.4

    max_growth: float = 1.6
    min_side: float = 8.0
    min_aspect: float = 0.35
    max_aspect: float = 2.5
    min_inside: float = 0.5

    merge_iou: float = 0.55
    off_path: float = 0.25
    apart_iou: float = 0.05

    dead_band: float = 0.03
    lead_above: float = 0.02

    cut_levels: float = 25.0
    cut_ratio: float = 4.0
    cut_usual_share: float = 0.2
    cut_grid: int = 24
