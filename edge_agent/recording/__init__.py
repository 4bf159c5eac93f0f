"""What the detectors judged, exactly, so that it can be judged again: samples and ticks in order, from a known state on.

Entry points: ``recorder.Recorder`` (the running agent's), ``reading.segments`` (whoever replays). The bytes are
described in docs/reference/recordings.md. Off unless ``agent.toml`` asks for it; it never delays polling, and a disk that
refuses costs the recording and nothing else.
"""
