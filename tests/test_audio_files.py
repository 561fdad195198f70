"""Sounds: PyAV and `wave` read what is written, with its provenance; broken files are refused."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
import pytest

from omnifex_audio import files
from omnifex_audio.files import UnreadableAudio, decode, encode, read_provenance
from omnifex_audio.picture import spectrogram_picture

RATE = 24_000
PROVENANCE = {
    "prompt": "a sine at A4; fades ★",
    "seed": 7,
    "model": "prism",
    "modality": "audio",
    "parameters": {"steps": 8, "sampler": None},
    "omnifex": "0.1.0",
}
EXTENSIONS = ("wav", "flac", "opus")


def tone(channels: int = 1, seconds: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    time = np.arange(int(RATE * seconds)) / RATE
    voices = [0.5 * np.sin(2 * np.pi * hertz * (1 + voice) * time) for voice in range(channels)]
    return np.stack(voices).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_lossless_files_give_the_samples_back_to_sixteen_bits(
    extension: str, channels: int
) -> None:
    sound = decode(encode(tone(channels), RATE, extension, PROVENANCE))
    assert sound.sample_rate == RATE
    assert sound.samples.dtype == np.float32
    np.testing.assert_allclose(sound.samples, tone(channels), atol=0.5 / 32768 + 1e-6)


@pytest.mark.parametrize("channels", [1, 2])
def test_opus_plays_at_48_khz_in_time_with_the_original(channels: int) -> None:
    sound = decode(encode(tone(channels), RATE, "opus", PROVENANCE))
    assert sound.sample_rate == 48_000
    assert sound.samples.shape == (channels, 24_000)
    np.testing.assert_allclose(
        sound.samples[:, 2000:-2000:2], tone(channels)[:, 1000:-1000], atol=0.05
    )


def test_the_standard_library_opens_the_wav() -> None:
    with wave.open(io.BytesIO(encode(tone(2), RATE, "wav", PROVENANCE))) as sound:
        assert sound.getparams()[:4] == (2, 2, RATE, 12_000)
        samples = np.frombuffer(sound.readframes(12_000), "<i2").reshape(-1, 2).T / 32768
    np.testing.assert_allclose(samples, tone(2), atol=2e-5)


@pytest.mark.parametrize(
    ("extension", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("opus", "opus")]
)
def test_another_program_finds_the_codec_and_the_title(extension: str, codec: str) -> None:
    with av.open(io.BytesIO(encode(tone(), RATE, extension, PROVENANCE))) as container:
        stream = container.streams.audio[0]
        tags = {k.lower(): v for k, v in {**container.metadata, **stream.metadata}.items()}
        assert codec in stream.codec_context.name
    assert tags["title"] == PROVENANCE["prompt"]
    assert tags["artist"] == "omnifex 0.1.0"


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_provenance_comes_back_whole(extension: str) -> None:
    long = {**PROVENANCE, "prompt": "très " * 20_000}
    assert read_provenance(encode(tone(), RATE, extension, PROVENANCE)) == PROVENANCE
    assert read_provenance(encode(tone(), RATE, extension, long)) == long


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_same_sound_gives_the_same_bytes(extension: str) -> None:
    sounds = {encode(tone(2), RATE, extension, PROVENANCE) for _ in range(3)}
    assert len(sounds) == 1


def test_what_is_too_loud_is_clipped_not_wrapped() -> None:
    sound = decode(encode(3 * tone(), RATE, "wav", PROVENANCE))
    np.testing.assert_allclose(sound.samples, np.clip(3 * tone(), -1, 1), atol=5e-5)


def test_a_sound_made_elsewhere_has_no_provenance() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    assert read_provenance(file.getvalue()) is None
    assert decode(file.getvalue()).samples.shape == (1, 800)


def test_a_sound_with_latin_1_tags_is_read_all_the_same() -> None:
    data = encode(tone(), RATE, "wav", {"prompt": "Annee"}).replace(b"Annee", b"Ann\xe9e")
    assert decode(data).samples.shape == (1, 12_000)
    assert read_provenance(data) == {"prompt": "Ann\N{REPLACEMENT CHARACTER}e"}


@pytest.mark.parametrize("read", [decode, read_provenance])
@pytest.mark.parametrize("data", [b"", b"Dear Omnifex", b"RIFF\0\0\0\0WAVE", b"fLaC", b"OggS"])
def test_what_is_no_sound_is_refused_in_one_sentence(read: object, data: bytes) -> None:
    with pytest.raises(UnreadableAudio, match=r"give a.* WAV, FLAC or Opus file\.$") as caught:
        read(data)  # type: ignore[operator]
    assert caught.value.code == "unreadable_audio"


def test_a_header_without_samples_is_refused() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"")
    with pytest.raises(UnreadableAudio):
        decode(file.getvalue())


def test_a_sound_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(tone(), RATE, "flac", PROVENANCE)
    monkeypatch.setattr(files, "MAX_SAMPLES", 5000)
    with pytest.raises(UnreadableAudio, match=r"more than 5,000 samples"):
        decode(data)


def test_a_higher_tone_glows_higher_in_its_picture() -> None:
    def brightest_row(hertz: float) -> int:
        page = spectrogram_picture(tone(hertz=hertz), RATE, width=64)
        assert page.shape == (312, 64, 3)
        return int(page[104:, 32].sum(axis=-1, dtype=int).argmax())

    low, middle, high = (brightest_row(hertz) for hertz in (220, 440, 880))
    assert low - middle == pytest.approx(middle - high, abs=2)
    assert low > middle > high


def test_a_louder_sound_has_a_taller_wave() -> None:
    def ink(gain: float) -> int:
        return int((spectrogram_picture(gain * tone(), RATE)[:96] < 200).sum())

    assert ink(1.0) > 2 * ink(0.3) > 2 * ink(0.0)


def test_silence_and_a_single_sample_have_pictures_too() -> None:
    for samples in (np.zeros((1, 4000), np.float32), np.zeros((2, 1), np.float32)):
        assert spectrogram_picture(samples, RATE)[104:].max() < 10
