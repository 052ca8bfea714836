"""How much of the server its visitors may use: one place for all such numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bytes, seconds and counts that bound what visitors leave on the server.

    Attributes:
        retention_seconds: photos, and files made of them, are deleted after so long.
        photo_bytes: of one photo's file.
        upload_seconds: for a photo to arrive.
        incoming_bytes: of all uploads that are not complete yet.
        stored_bytes: of all photos on disk, incomplete ones included; the least recently used leave first.
        photos: kept at a time; the least recently used leave first.
        grids: photos whose pixels and backbone grid stay in memory (0.75 MB each); those of others are made again.
        jobs: files to be made that are waiting or in the making.
        job_photos: in one file.
        job_seconds: for making one file, which may keep its photos beyond `retention_seconds` by so long.
        file_bytes: of all files that were made; the oldest leave first.
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

    @property
    def sweep_seconds(self) -> float:
        """Between two looks for what must be deleted."""
        return min(60.0, self.retention_seconds / 10)
