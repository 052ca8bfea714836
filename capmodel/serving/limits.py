"""All limits on what visitors may use of the server."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits on what visitors leave on the server.

    Attributes:
        retention_seconds: age at which photos, and files made from them, are deleted.
        photo_bytes: size of one photo's file.
        upload_seconds: time for a photo to arrive.
        incoming_bytes: total size of uploads that are not complete.
        stored_bytes: total size of photos on disk, including incomplete ones; the least recently used leave first.
        photos: number of photos kept; the least recently used leave first.
        grids: number of photos whose pixels and grid stay in memory (0.75 MB each); others are computed again.
        jobs: number of files that are waiting or being made.
        job_photos: number of photos in one file.
        job_seconds: time to make one file; its photos may outlive `retention_seconds` by as much.
        file_bytes: total size of finished files; the oldest leave first.
        frame_bytes: size of one frame of a camera, as a file.
        frame_side: longest side of a frame in pixels.
        frame_seconds: time for a frame to arrive.
        frames: number of frames that are arriving or waiting for their captions.
    """

    retention_seconds: float = 45 * 60
    photo_bytes: int = 100_000_000
    upload_seconds: float = 10 * 60
    incoming_bytes: int = 1_000_000_000
    stored_bytes: int = 2_000_000_000
    photos: int = 1000
    grids: int = 128
    jobs: int = 50
    job_photos: int = 500
    job_seconds: float = 30 * 60
    file_bytes: int = 2_000_000_000
    frame_bytes: int = 500_000
    frame_side: int = 1024
    frame_seconds: float = 10.0
    frames: int = 64

    @property
    def sweep_seconds(self) -> float:
        """Seconds between two sweeps."""
        return min(60.0, self.retention_seconds / 10)
