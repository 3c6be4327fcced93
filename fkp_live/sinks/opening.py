"""`open_sender`: the one way to open a target that results are sent to."""

from __future__ import annotations

import sys
from importlib import import_module

from fkp_live.choices import PipelineOptions
from fkp_live.errors import OutputError
from fkp_live.sinks.datagram import address_of
from fkp_live.sinks.sender import Report, Sender
from fkp_live.targets import EXTRAS, Target, parse_target
from fkp_live.types import SourceInfo


def check_target(target: str | Target) -> Target:
    """Refuse a target that cannot be sent to, before anything is opened.

    Raises
    ------
    UsageError : the text is none
    OutputError : its host is not found, or the package that it needs is not installed
    """
    if not isinstance(target, str | Target):
        raise TypeError(f"target is {target!r}, expected a text such as 'osf://127.0.0.1'")
    target = parse_target(target) if isinstance(target, str) else target
    module, extra = EXTRAS.get(target.scheme, ("", ""))
    if module:
        # Loaded here and nowhere else before: pylsl is found also where its own library is missing.
        try:
            import_module(module)
        except Exception as error:
            missing = isinstance(error, ModuleNotFoundError) or sys.modules.get(module, error) is None
            what = "is not installed" if missing else f"cannot be loaded ({' '.join(str(error).split())})"
            raise OutputError(
                f"{target} needs the package {module}, which {what}.",
                f"Install it: pip install 'fkp-live[{extra}]'",
            ) from error
    if target.host:
        address_of(target)
    return target


def open_sender(
    target: str | Target,
    info: SourceInfo,
    *,
    options: PipelineOptions | None = None,
    report: Report | None = None,
    in_groups: bool = False,
) -> Sender:
    """Open a target; the sender is a sink for `process_stream`, and a context manager.

    Parameters
    ----------
    target : such as ``udp://127.0.0.1:9000``, ``osf://127.0.0.1``, ``vmc://127.0.0.1``, ``lsl://face`` or
        ``camera://auto``
    info : of the source
    options : of the pipeline: its ``max_faces`` and ``id_order`` say how faces are numbered
    report : called with a message where something fails, perhaps from the sender's thread; None: see `Sender.note`
    in_groups : datagrams wait up to a quarter of a second for the next ones and are sent together, 16 at most, each as
        it would be alone, for less processor time: for a film that is processed faster than it plays. Targets that
        stamp each result, or take its picture, send as always

    Raises
    ------
    UsageError, OutputError : as `check_target`, or the device cannot be opened

    Example
    -------
    >>> with open_source(0) as source, open_sender("osf://127.0.0.1", source.info) as avatar:
    ...     process_stream(source, Pipeline(), [avatar])
    """
    target, options = check_target(target), options or PipelineOptions()
    by_place = options.id_order == "left-right"
    if target.scheme == "udp":
        from fkp_live.sinks.udp import UdpSender

        return UdpSender(target, report, in_groups=in_groups)
    if target.scheme == "osf":
        from fkp_live.sinks.osf import OsfSender

        return OsfSender(target, report, by_place=by_place, in_groups=in_groups)
    if target.scheme == "vmc":
        from fkp_live.sinks.vmc import VmcSender

        return VmcSender(target, report, in_groups=in_groups)
    if target.scheme == "lsl":
        from fkp_live.sinks.lsl import LslSender

        return LslSender(target, info, report, slots=options.max_faces or 1, by_place=by_place)
    from fkp_live.sinks.virtual_camera import VirtualCameraSender

    return VirtualCameraSender(target, info, report)
